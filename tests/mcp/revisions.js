// The schema of each revision of the protocol, as its conformance suite has them in it.
import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import Ajv2020 from 'ajv/dist/2020.js';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { here } from './stage.js';

const suite = path.join(here, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');

/** Where the object literal that begins at `from` ends. */
function endOf(text, from) {
	let depth = 0;
	let quote = null;

	for (let i = from; i < text.length; i++) {
		const one = text[i];
		if (quote) {
			if (one === '\\') i++;
			else if (one === quote) quote = null;
		} else if ('`"\''.includes(one)) quote = one;
		else if (one === '{') depth++;
		else if (one === '}' && --depth === 0) return i + 1;
	}
	throw new Error('an object without an end');
}

/** {'2025-11-25': {…}, …} */
function readSchemas() {
	const text = fs.readFileSync(suite, 'utf8');
	const table = /\{"2025-03-26":(\w+),"2025-06-18":(\w+),"2025-11-25":(\w+),\[\w+\]:(\w+)\}/.exec(text);
	const revisions = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'];

	return Object.fromEntries(revisions.map((revision, i) => {
		const from = new RegExp(`[ ,;]${table[i + 1].replace('$', '\\$')}=\\{\\$schema:`).exec(text);
		const begin = text.indexOf('{', from.index);
		return [revision, vm.runInNewContext(`(${text.slice(begin, endOf(text, begin))})`)];
	}));
}

function compile(schema) {
	const Validator = JSON.stringify(schema).includes('"$defs"') ? Ajv2020 : Ajv;
	const ajv = new Validator({ strict: false, allErrors: true });
	const definitions = schema.$defs ? '$defs' : 'definitions';

	addFormats(ajv);
	ajv.addFormat('byte', true);
	ajv.addSchema(schema, 'mcp');
	return (type, value) => {
		const check = ajv.getSchema(`mcp#/${definitions}/${type}`);
		if (!check) throw new Error(`there is no ${type}`);
		return check(value) ? [] : check.errors.map((one) => `${type}${one.instancePath} ${one.message}`);
	};
}

/** For each revision, what is wrong with a value as one of its types. */
export const revisions = Object.fromEntries(Object.entries(readSchemas())
	.map(([revision, schema]) => [revision, compile(JSON.parse(JSON.stringify(schema)))]));
