/* A gateway of the kind users write: Node's HTTP server, fetch, and either jsonata with the same mapping
 * that tenon uses (the field table of the connector, as one object expression), or one written by hand. */
'use strict';
const fs = require('fs');
const http = require('http');
const jsonata = require('jsonata');
const yaml = require('yaml');

const byHand = require('./mapping');

const [, , definition, upstream, token, how] = process.argv;
const { list, map } = yaml.parse(fs.readFileSync(definition, 'utf8'));
const alternatives = Array.isArray(list) ? list : [list];
const plain = alternatives[alternatives.length - 1];
const absent = new Set(plain.absent || []);
const fields = Object.entries(map).filter(([name]) => !absent.has(name));
const expression = jsonata(
  `[$records.{${fields.map(([name, text]) => `"${name}": (${text})`).join(', ')}, "remote_data": $}]`);

function makeReference(references) {
  const index = new Map(references.map((r) => [`${r.type}/${r.id}`, r]));
  return (type, id) => index.get(`${type}/${id}`);
}

function mapByExpression(body) {
  return expression.evaluate({}, {
    records: body.candidates, reference: makeReference(body.references || []),
    context: {}, query: {}, body, record: undefined,
  });
}

function mapByHand(body) {
  const index = byHand.indexOf(body.references || []);
  return body.candidates.map((c) => byHand.mapOne(c, index));
}

async function listCandidates(limit) {
  const response = await fetch(`${upstream}/candidates?limit=${limit}&offset=0`,
    { headers: { Authorization: `Bearer ${token}` } });
  const body = await response.json();
  const result = await (how === 'hand' ? mapByHand(body) : mapByExpression(body));
  return {
    result, next_cursor: body.candidates.length === limit ? String(limit) : null,
    prev_cursor: null, result_count: result.length, is_partial_response: true,
  };
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  listCandidates(Number(url.searchParams.get('limit') || 100)).then((page) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(page));
  }, (error) => {
    response.writeHead(502);
    response.end(String(error));
  });
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
