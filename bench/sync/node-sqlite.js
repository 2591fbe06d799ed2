/* A sync of the kind users write: Node's fetch, a mapping by hand, a hash of each record, and the
 * built-in node:sqlite: what has changed is upserted and told as an event, what was not seen is
 * deleted, page by page in one durable transaction. Prints a line for the first load and one for
 * each time that all is read again. */
'use strict';
const crypto = require('crypto');
const { DatabaseSync } = require('node:sqlite');

const { indexOf, mapOne } = require('../unified/mapping');

const [, , upstream, token, file, rounds] = process.argv;
const LIMIT = 1000;

const db = new DatabaseSync(file);
db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
  CREATE TABLE record (id TEXT PRIMARY KEY, hash BLOB NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE event (number INTEGER PRIMARY KEY, type TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL);
  CREATE TABLE cursor (name TEXT PRIMARY KEY, place INTEGER NOT NULL)`);
const find = db.prepare('SELECT hash FROM record WHERE id = ?');
const upsert = db.prepare('INSERT INTO record VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, body = excluded.body');
const tell = db.prepare('INSERT INTO event (type, id, body) VALUES (?, ?, ?)');
const remove = db.prepare('DELETE FROM record WHERE id = ?');
const ids = db.prepare('SELECT id FROM record');
const note = db.prepare('INSERT INTO cursor VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET place = excluded.place');

async function page(offset) {
  const response = await fetch(`${upstream}/candidates?limit=${LIMIT}&offset=${offset}`,
    { headers: { Authorization: `Bearer ${token}` } });
  return response.json();
}

function put(record, isSilent, counts) {
  const id = String(record.id);
  const body = JSON.stringify(record);
  const hash = crypto.hash('sha1', body, 'hex');
  const known = find.get(id);
  if (known && known.hash === hash) return void counts.unchanged++;
  upsert.run(id, hash, body);
  counts[known ? 'updated' : 'created']++;
  if (!isSilent) tell.run(known ? 'record:updated' : 'record:created', id, body);
}

function take(body, offset, seen, isSilent, counts) {
  const index = indexOf(body.references || []);
  const records = body.candidates.map((c) => ({ ...mapOne(c, index), remote_data: undefined }));
  const before = counts.created + counts.updated;
  db.exec('BEGIN IMMEDIATE');
  for (const record of records) {
    seen.add(String(record.id));
    put(record, isSilent, counts);
  }
  if (counts.created + counts.updated > before) note.run('candidates', offset);
  db.exec('COMMIT');
}

async function sync(isSilent) {
  const counts = { created: 0, updated: 0, unchanged: 0, deleted: 0 };
  const seen = new Set();
  let next = page(0);
  for (let offset = 0; ; offset += LIMIT) {
    const body = await next;
    const isLast = body.candidates.length < LIMIT;
    if (!isLast) next = page(offset + LIMIT); /* comes while this one is worked on */
    take(body, offset, seen, isSilent, counts);
    if (isLast) break;
  }
  for (const { id } of ids.iterate()) if (!seen.has(id)) { remove.run(id); counts.deleted++; }
  return counts;
}

(async () => {
  for (let round = 0; round <= Number(rounds); round++) {
    const began = process.hrtime.bigint();
    const cpu = process.cpuUsage();
    const counts = await sync(round === 0);
    const used = process.cpuUsage(cpu);
    console.log(JSON.stringify({
      seconds: Number(process.hrtime.bigint() - began) / 1e9,
      cpu: (used.user + used.system) / 1e6,
      peak_mb: process.resourceUsage().maxRSS / 1024, counts,
    }));
  }
})();
