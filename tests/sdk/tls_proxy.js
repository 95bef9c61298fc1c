// Terminates TLS in front of a service on loopback: node tls_proxy.js KEY CERTIFICATE PORT. Prints its own port.
"use strict";

const { readFileSync } = require("node:fs");
const net = require("node:net");
const tls = require("node:tls");

const [, , key, cert, port] = process.argv;
const options = { key: readFileSync(key), cert: readFileSync(cert), ALPNProtocols: ["http/1.1"] };
const server = tls.createServer(options, (client) => {
  const service = net.connect(Number(port), "127.0.0.1");
  client.pipe(service).pipe(client);
  client.on("error", () => service.destroy());
  service.on("error", () => client.destroy());
});
server.listen(0, () => console.log(server.address().port));
