#!/usr/bin/env node
// generate.js SEED COUNT [FAMILY...]   writes COUNT cases as lines, dealt out over the families.
// A family is families/NAME.js: a function (random) -> {expr, data?, bindings?}.
'use strict';

const fs = require('fs');
const path = require('path');
const { makeRandom, hash } = require('./random');

const folder = path.join(__dirname, 'families');

function familyNames() {
	return fs
		.readdirSync(folder)
		.filter((name) => name.endsWith('.js') && !name.startsWith('_'))
		.map((name) => name.slice(0, -3))
		.sort();
}

// Cases of one family; equal ones are given once.
function* generate(name, seed, count) {
	const make = require(path.join(folder, name + '.js'));
	const random = makeRandom(hash(name + ':' + seed));
	const seen = new Set();
	for (let made = 0, tries = 0; made < count && tries < 4 * count; tries++) {
		const line = JSON.stringify(make(random));
		if (seen.has(line)) continue;
		seen.add(line);
		made++;
		yield line;
	}
}

function main([seed, count, ...names]) {
	const families = names.length > 0 ? names : familyNames();
	const each = Math.ceil(Number(count) / families.length);
	for (const name of families) {
		let out = '';
		for (const line of generate(name, Number(seed), each)) out += line + '\n';
		fs.writeSync(1, out);
	}
}

if (require.main === module) main(process.argv.slice(2));
module.exports = { generate, familyNames };
