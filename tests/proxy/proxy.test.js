// nginx and Caddy in front of the service and Auth0, with the files of deploy/: which path goes where, and
// what each receives about the client.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { ADA, Service, spawnChild } from "../browser/service.js";

const DOMAIN = "login.example.com";
const ORIGIN = "tenant-cd-0123456789abcdef.edge.tenants.eu.auth0.com";
const SIGN_UP = "/dbconnections/signup";
const shipped = (path) => readFileSync(join(import.meta.dirname, "../../deploy", path), "utf8");
const PATH = `${process.env.PATH}:/usr/sbin`;

const folder = mkdtempSync(join(tmpdir(), "signup-proxy-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name) => join(folder, name);

/** Certificate that all servers of this file use and trust. */
const key = file("key.pem");
const cert = file("cert.pem");
execFileSync("openssl", [
  ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" "),
  ...["-subj", "/CN=proxy-test", "-keyout", key, "-out", cert],
  ...["-addext", `subjectAltName=DNS:${ORIGIN},DNS:${DOMAIN},DNS:localhost`],
], { stdio: "ignore" });
const pem = readFileSync(cert);

/** Auth0's edge. Records its requests. */
const received = [];
const edge = https.createServer({ key: readFileSync(key), cert: pem }, (request, response) => {
  const { method, url, headers, socket } = request;
  received.push({ method, url, headers, servername: socket.servername });
  response.end("auth0");
});
await new Promise((resolve) => edge.listen(0, "127.0.0.1", resolve));
after(() => edge.close());
const edgePort = edge.address().port;

const service = await Service.start({
  "http.trusted_proxies": "127.0.0.1",
  // One attempt per address.
  "limits.address.burst": 1,
  "limits.address.per_hour": 1,
});
const address = new URL(service.url).host;

const freePort = async () => {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
};

/** Starts a proxy and waits until it accepts connections. */
const serve = async (command, args, env, port) => {
  const child = spawnChild(command, args, { env: { PATH, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  const log = [];
  child.stderr.on("data", (data) => log.push(data));
  let ended = false;
  const end = new Promise((resolve) => child.once("close", () => resolve((ended = true))));
  after(async () => {
    child.kill("SIGTERM");
    await end;
  });
  const connects = () =>
    new Promise((resolve) => {
      const socket = net.connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
  while (!(await connects())) {
    assert.ok(!ended, `${command} ended: ${Buffer.concat(log)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

/** Returns the shipped file with replacements for the test, each of which must occur once. */
const changed = (text, changes) =>
  changes.reduce((current, [from, to]) => {
    assert.equal(current.split(from).length, 2, `${from} occurs once`);
    return current.replace(from, to);
  }, text);

/** Starts nginx before these addresses of auth0-signup. `timeout`: of its responses. */
const nginx = async (addresses, { timeout = "30s" } = {}) => {
  const port = await freePort();
  const server = (address) => `server ${address} max_fails=0;`;
  writeFileSync(file(`login.${port}.conf`), changed(shipped("nginx/login.conf"), [
    ["listen 443 ssl", `listen 127.0.0.1:${port} ssl`],
    ["/etc/ssl/login.example.com/fullchain.pem", cert],
    ["/etc/ssl/login.example.com/privkey.pem", key],
    ["/etc/ssl/certs/ca-certificates.crt", cert],
    [server("127.0.0.1:8080"), addresses.map(server).join("\n")],
    ["proxy_read_timeout 30s", `proxy_read_timeout ${timeout}`],
  ]));
  // nginx finds a group with the origin's name before it uses a resolver.
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  writeFileSync(file(`nginx.${port}.conf`), `
    daemon off; master_process off; pid ${file(`nginx.${port}.pid`)}; error_log stderr;
    events {}
    http {
      access_log off;
      ${temporary.map((kind) => `${kind}_temp_path ${file(kind)};`).join("\n")}
      upstream ${ORIGIN} { server 127.0.0.1:${edgePort}; }
      include ${file(`login.${port}.conf`)};
    }`);
  await serve("nginx", ["-p", folder, "-c", file(`nginx.${port}.conf`), "-e", "stderr"], {}, port);
  return { client: https, port, host: ORIGIN, servername: ORIGIN, key: "the cname-api-key" };
};

/** Starts Caddy, likewise. `isReplicated`: with the lines for several replicas. */
const caddy = async (addresses, { timeout = "30s", isReplicated = false } = {}) => {
  const port = await freePort();
  const host = `localhost:${edgePort}`;
  writeFileSync(file(`shipped.${port}`), changed(shipped("caddy/Caddyfile"), [
    ["response_header_timeout 30s", `response_header_timeout ${timeout}`],
    ...(isReplicated ? ["health_uri", "health_interval", "lb_try_duration"].map((line) => [`#${line}`, line]) : []),
  ]));
  writeFileSync(file(`Caddyfile.${port}`), `{
	admin off
	default_bind 127.0.0.1
}
import ${file(`shipped.${port}`)}
`);
  await serve("caddy", ["run", "--config", file(`Caddyfile.${port}`), "--adapter", "caddyfile"], {
    HOME: folder,
    LOGIN_DOMAIN: `http://${DOMAIN}:${port}`,
    SIGNUP_ADDRESS: addresses.join(" "),
    AUTH0_ORIGIN: host,
    CNAME_API_KEY: "key of caddy",
    SSL_CERT_FILE: cert,
  }, port);
  return { client: http, port, host, servername: "localhost", key: "key of caddy" };
};

/** Sends a request to a proxy from an address of this machine. */
const askOf = (proxy, localAddress, path, { method = "GET", headers = {}, body } = {}) =>
  new Promise((resolve, reject) => {
    const options = {
      ...{ host: "127.0.0.1", port: proxy.port, localAddress, method, path, agent: false },
      headers: { Host: DOMAIN, ...headers },
      ...{ servername: DOMAIN, ca: pem },
    };
    const request = proxy.client.request(options, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () =>
        resolve({ status: response.statusCode, body: String(Buffer.concat(parts)) }),
      );
    });
    request.on("error", reject).end(body);
  });

/** Posts a sign-up with these members to a proxy. */
const postTo = (proxy, localAddress, path, members, headers = {}) =>
  askOf(proxy, localAddress, path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify({ ...ADA, client_id: "lock", user_metadata: {}, ...members }),
  });

/** Starts a server that adds its posts to `posts` and never responds: it closes the connection, or keeps it open. */
const silent = async (posts, closes) => {
  const server = http.createServer((request) => {
    posts.push(request.url);
    if (closes) request.socket.destroy();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${server.address().port}`;
};

for (const [nth, [name, start]] of Object.entries({ nginx, caddy }).entries()) {
  describe(name, async () => {
    const proxy = await start([address]);
    const from = (last) => `127.0.${nth + 1}.${last}`;

    const ask = (...request) => askOf(proxy, ...request);
    const post = (...request) => postTo(proxy, ...request);
    const signUp = (localAddress, email, headers) => post(localAddress, SIGN_UP, { email }, headers);

    test("the sign-up path goes to the service, which sees each client's own address", async () => {
      const email = (user) => `${user}.${name}@example.com`;
      const sameOrigin = { Origin: `https://${DOMAIN}` };
      const first = await signUp(from(2), email("ada"), sameOrigin);
      assert.equal(first.status, 200, first.body);
      assert.equal((await service.creates(email("ada"))).length, 1);
      assert.match(JSON.parse(first.body)._id, /^[0-9a-f]{24}$/);

      // The address has no attempt left, whatever its headers claim.
      for (const forged of [
        {},
        { "X-Forwarded-For": "198.51.100.7" },
        { "X-Forwarded-For": "198.51.100.7, 127.0.0.1" },
        { Forwarded: "for=198.51.100.7", "X-Real-IP": "198.51.100.7" },
      ]) {
        const again = await signUp(from(2), email("bob"), forged);
        assert.equal(again.status, 429, JSON.stringify(forged));
      }
      assert.equal((await signUp(from(3), email("grace"))).status, 200);
      const foreign = await signUp(from(4), email("eve"), { Origin: "https://evil.example" });
      assert.equal(foreign.status, 403);
      assert.deepEqual(await service.creates(email("bob")), []);
    });

    test("Auth0's other spellings of the path work as well, with their query", async () => {
      const spellings = ["/dbconnections/signup/", "/DBConnections/SignUp", "/DBCONNECTIONS/SIGNUP/"];
      for (const [nth, path] of spellings.entries()) {
        const email = `spelling.${nth}.${name}@example.com`;
        const response = await post(from(10 + nth), path, { email });
        assert.equal(response.status, 200, `${path}: ${response.body}`);
        assert.equal((await service.creates(email)).length, 1, path);

        const rejected = await post(from(20 + nth), `${path}?ui_locales=de`, { picture: "no" });
        const { code, description } = JSON.parse(rejected.body);
        assert.equal(code, "hook_error", path);
        assert.match(description, /Bild/, path);
      }
      for (const path of ["", "/", "?a=b"].map((end) => `${SIGN_UP}/challenge${end}`)) {
        for (const spelling of [path, path.toUpperCase()]) {
          const challenge = await ask(from(2), spelling, { method: "POST" });
          assert.equal(challenge.body, '{"required":false}', spelling);
        }
      }
    });

    test("other paths with this prefix are not found, and never reach Auth0", async () => {
      const before = received.length;
      const suffixes = ["x", "/x", "/challenge/x", "/signup", "/challengex", ";a"];
      for (const path of suffixes.map((suffix) => SIGN_UP + suffix)) {
        const other = await ask(from(2), path, { method: "POST" });
        assert.equal(other.status, 404, `${path}: ${other.body}`);
        assert.equal(JSON.parse(other.body).code, "not_found", path);
      }
      const encoded = await ask(from(2), "/%64bconnections/signup", { method: "POST" });
      assert.notEqual(encoded.body, "auth0");
      assert.equal(received.length, before);
    });

    test("everything else goes to Auth0 with the headers that it requires", async () => {
      const path = "/authorize?client_id=x&state=a%2Fb";
      const headers = {
        Cookie: "auth0=session",
        "X-Forwarded-For": "198.51.100.7",
        "cname-api-key": "forged",
      };
      const response = await ask(from(5), path, { headers });
      assert.deepEqual(response, { status: 200, body: "auth0" });
      const { url, headers: forwarded, servername } = received.at(-1);
      assert.equal(url, path);
      assert.equal(servername, proxy.servername);
      assert.equal(forwarded.host, proxy.host);
      assert.equal(forwarded["cname-api-key"], proxy.key);
      assert.equal(forwarded["x-forwarded-for"], from(5));
      assert.equal(forwarded.cookie, "auth0=session");
      await ask(from(5), "/dbconnections/change_password", { method: "POST", body: "{}" });
      assert.equal(received.at(-1).url, "/dbconnections/change_password");
    });
  });
}

describe("two replicas", async () => {
  const settings = {
    "http.trusted_proxies": "127.0.0.1",
    // More than two intervals of Caddy's health checks.
    "http.shutdown_delay_ms": 2500,
    "limits.service.burst": 100000,
    "challenge.adaptive.attempts_per_minute": 100000,
  };
  const replicas = await Promise.all([Service.start(settings), Service.start(settings)]);
  const addresses = replicas.map(({ url }) => new URL(url).host);

  test("a rolling restart costs no sign-up behind either proxy", async () => {
    const proxies = { nginx: await nginx(addresses), caddy: await caddy(addresses, { isReplicated: true }) };
    const statuses = { nginx: {}, caddy: {} };
    let isOver = false;
    let users = 0;
    const client = async (name) => {
      while (!isOver) {
        users += 1;
        const source = `127.10.${users >> 7}.${1 + (users & 127)}`;
        const email = `${name}.${users}@example.com`;
        const { status } = await postTo(proxies[name], source, SIGN_UP, { email });
        statuses[name][status] = (statuses[name][status] ?? 0) + 1;
      }
    };
    const clients = ["nginx", "caddy"].flatMap((name) => [1, 2, 3].map(() => client(name)));
    for (const replica of replicas) {
      await replica.restart();
      // The next one stops once this one is in use again.
      const before = users;
      const isLater = (email) => email.startsWith("caddy.") && Number(email.split(/[.@]/)[1]) > before;
      while (!(await replica.emails()).some(isLater)) await delay(50);
    }
    isOver = true;
    await Promise.all(clients);
    assert.ok(users > 100, `${users} sign-ups`);
    for (const counts of Object.values(statuses)) {
      assert.deepEqual(Object.keys(counts), ["200"], JSON.stringify(statuses));
    }
  });

  for (const [name, start] of Object.entries({ nginx, caddy })) {
    test(`${name} sends no post twice`, async () => {
      for (const closes of [true, false]) {
        const posts = [];
        const both = await Promise.all([silent(posts, closes), silent(posts, closes)]);
        const proxy = await start(both, { timeout: "1s" });
        const { status } = await postTo(proxy, "127.0.0.1", SIGN_UP, {});
        assert.ok([502, 504].includes(status), String(status));
        assert.equal(posts.length, 1);
      }
    });
  }

  test("nginx sends a post that one replica cannot get to the other", async () => {
    const proxy = await nginx([`127.0.0.1:${await freePort()}`, addresses[0]]);
    for (let user = 0; user < 10; user += 1) {
      const email = `left.${user}@example.com`;
      const { status } = await postTo(proxy, `127.20.0.${1 + user}`, SIGN_UP, { email });
      assert.equal(status, 200, email);
    }
  });
});
