// Rivals of bench/run jsonata on Node: npm jsonata, and the mapping written by hand.
// node rivals.js jsonata|hand FOLDER NODE_MODULES
//
// Answers lines on standard input: `show record` with the mapped record, `record SECONDS` with the
// microseconds of processor time one record takes from text to text, `page` with those of one
// record of the page of 100, `compile` with those of compiling the mapping.
'use strict';
const fs = require('fs');
const readline = require('readline');
const { mapOne, dayDate } = require('./mapping.js');

const [rival, folder, modules] = process.argv.slice(2);
const read = (name) => fs.readFileSync(`${folder}/${name}`, 'utf8');
const texts = { record: read('record.json'), page: read('page.json') };
const counts = { record: 1, page: 100, compile: 1 };

const jsonataWays = () => {
  const jsonata = require(`${modules}/jsonata`);
  const source = read('record.jsonata');
  const compiled = { record: jsonata(source), page: jsonata(read('page.jsonata')) };
  const map = async (name) =>
    JSON.stringify(await compiled[name].evaluate(JSON.parse(texts[name])));
  return { record: () => map('record'), page: () => map('page'), compile: () => jsonata(source) };
};

const handWays = () => ({
  record: () => {
    const { candidate, references } = JSON.parse(texts.record);
    return JSON.stringify(mapOne(candidate, references, dayDate));
  },
  page: () => {
    const { candidates, references } = JSON.parse(texts.page);
    return JSON.stringify(candidates.map((c) => mapOne(c, references, dayDate)));
  },
});

const ways = rival === 'jsonata' ? jsonataWays() : handWays();
// An await costs more than the hand-written mapping: only who needs it pays for it.
const runAll = rival === 'jsonata'
  ? async (way, turns) => { for (let i = 0; i < turns; i++) await way(); }
  : (way, turns) => { for (let i = 0; i < turns; i++) way(); };

const usedNow = () => {
  const used = process.cpuUsage();
  return used.user + used.system;
};

async function measure(name, seconds) {
  const turns = counts[name] > 1 ? 1 : 16;
  const start = usedNow();
  let done = 0, used = 0;
  do {
    await runAll(ways[name], turns);
    done += turns;
    used = usedNow() - start;
  } while (used < seconds * 1e6);
  return used / (done * counts[name]);
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, argument] = line.split(' ');
    if (name === 'show') console.log(await ways[argument]());
    else console.log((await measure(name, Number(argument))).toFixed(3));
  }
})();
