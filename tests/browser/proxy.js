// A proxy between the browser and a service. It changes the posts of both kinds of pages on their way.

import { createServer, request as send } from "node:http";
import { after } from "node:test";

/** A post on its way to the service. */
class Post {
  /** True if the last byte of the body never arrives. */
  stalls = false;

  constructor({ method, url, rawHeaders }, body) {
    this.method = method;
    this.path = url;
    this.headers = [];
    for (let at = 0; at < rawHeaders.length; at += 2) this.add(rawHeaders[at], rawHeaders[at + 1]);
    this.body = body;
  }

  add(name, value) {
    this.headers.push([name, value]);
  }

  remove(name) {
    this.headers = this.headers.filter(([other]) => other.toLowerCase() !== name);
  }

  set(name, value) {
    this.remove(name);
    this.add(name, value);
  }

  /** Sets a field of the form. */
  setField(name, value) {
    const form = new URLSearchParams(this.body);
    form.set(name, value);
    this.body = form.toString();
  }
}

/**
 * Starts a proxy to this URL. `change(post)` changes each post, and `admits(request)` returns whether a request has the
 * password or the cookie of a gate. Both can be set at any time.
 */
export async function startProxy(target) {
  const { hostname, port } = new URL(target);
  const proxy = { change: undefined, admits: undefined };
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray().catch(() => undefined);
    // The browser has left.
    if (!chunks) return response.destroy();
    if (proxy.admits?.(request) === false) {
      return response.writeHead(401, { "WWW-Authenticate": 'Basic realm="staging"' }).end();
    }
    const post = new Post(request, Buffer.concat(chunks).toString());
    if (request.method === "POST") proxy.change?.(post);
    const { method, path, body, stalls } = post;
    post.remove("transfer-encoding");
    if (body) post.set("content-length", Buffer.byteLength(body) + (stalls ? 1 : 0));
    // An array goes out as it is: nothing is added, joined or checked.
    const headers = post.headers.flat().map(String);
    const onward = send({ hostname, port, method, path, headers, agent: false });
    onward.on("response", (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    });
    // The service may respond to a request that never ends, and then close.
    onward.on("error", () => response.headersSent || response.destroy());
    onward.write(body);
    if (!stalls) onward.end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => server.close());
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  return proxy;
}
