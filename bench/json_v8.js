// Rival of `bench/run json`: Node's JSON.parse and JSON.stringify. json_v8.js SECONDS FILE
//
// From string to string, warmed up; decoding and encoding UTF-8, which a server does besides, is
// not counted. Like the others it counts the processor time of the whole process.
'use strict';
const fs = require('fs');
const [seconds, path] = process.argv.slice(2);
const len = fs.statSync(path).size;
const text = fs.readFileSync(path, 'utf8');
const turns = 1 + Math.floor(1e6 / (len + 1));
let made = 0;

const secondsUsed = () => {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1e6;
};
const ways = {
  parse: () => { made += Object.keys(JSON.parse(text)).length; },
  'parse+print': () => { made += JSON.stringify(JSON.parse(text)).length; },
};

for (const [name, turn] of Object.entries(ways)) {
  let best = 0;
  const warm = secondsUsed() + seconds / 2;
  while (secondsUsed() < warm) turn();
  const end = secondsUsed() + Number(seconds);
  while (secondsUsed() < end) {
    const start = secondsUsed();
    for (let i = 0; i < turns; i++) turn();
    best = Math.max(best, len * turns / (secondsUsed() - start) / 1e6);
  }
  console.log(`${name} ${best.toFixed(1)}`);
}
if (made === 0) process.exit(1);
