// A webhook receiver that verifies each delivery with the public reference library for Standard
// Webhooks, once with each of the secrets in $SECRETS. Prints its port, then a line for each delivery.
'use strict';
const http = require('node:http');
const readline = require('node:readline');
const { Webhook } = require(process.env.LEADPIPE_NODE_MODULES + '/standardwebhooks');

const secrets = JSON.parse(process.env.SECRETS);

const server = http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts).toString('utf8');
    const verdicts = secrets.map((secret) => {
      try {
        return new Webhook(secret).verify(body, request.headers).type;
      } catch (error) {
        return error.name;
      }
    });
    console.log(JSON.stringify({ id: request.headers['webhook-id'], verdicts }));
    response.writeHead(204).end();
  });
});

server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
readline.createInterface({ input: process.stdin }).on('close', () => process.exit(0));
