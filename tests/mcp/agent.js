// An agent without a model: it knows the protocol and plain rules, and of the ATS only what tools,
// their schemas, searches and results tell it. It counts the tokens of what a model would read.
import { countTokens } from 'gpt-tokenizer';
import { textOf } from './connect.js';

const words = (text) => text.toLowerCase().split(/[^a-z]+/).filter((one) => one.length > 2)
	.map((one) => one.replace(/s$/, ''));
const plain = new Set(['list', 'all']);

/** How well a tool fits what is looked for: its name should have those words, and few others. */
function rate(tool, query) {
	const wanted = words(query);
	const name = words(tool.name).filter((word) => !plain.has(word));
	const told = words(tool.description);

	return wanted.reduce((sum, word) => sum + (name.includes(word) ? 3 : 0)
		+ (told.includes(word) ? 1 : 0), 0) - name.filter((word) => !wanted.includes(word)).length;
}

/** A list that takes what is known, and wants nothing else. */
function takes({ name, inputSchema }, given) {
	return name.startsWith('list_') && given.every((one) => inputSchema.properties[one])
		&& (inputSchema.required ?? []).every((one) => given.includes(one));
}

/** Other people's words stand between marks, which are no part of them. */
export const unmark = (text) => text.replace(/^<<(\w+) ([^]*) \1>>$/, '$2');

/** Lists as the schema wants them: some are texts with commas. */
const fit = (tool, args) => Object.fromEntries(Object.entries(args).map(([name, value]) =>
	[name, Array.isArray(value) && tool.inputSchema.properties[name].type === 'string'
		? value.join(',') : value]));

/** The JSON of a result, whatever stands around it. */
export function read(text) {
	const begin = text.indexOf('{');

	return JSON.parse(text.slice(begin, text.lastIndexOf('}') + 1));
}

export class Agent {
	/** With all tools the definitions are the client's matter; with two, everything is counted. */
	static async start(client, isSearching) {
		const agent = new Agent();
		const { tools } = await client.listTools();

		Object.assign(agent, { client, tools, isSearching, tokens: 0, calls: 0 });
		agent.definitions = isSearching ? countTokens(JSON.stringify(tools)) : 0;
		return agent;
	}

	/** A new question begins with an empty context. */
	begin() {
		this.tokens = this.definitions;
		this.calls = 0;
	}

	async ask(name, args) {
		const text = textOf(await this.client.callTool({ name, arguments: args }));

		this.tokens += countTokens(text);
		if (this.isSearching) this.tokens += countTokens(JSON.stringify({ name, arguments: args }));
		this.calls += 1;
		return text;
	}

	/** The list that fits best among those that take these arguments. */
	async find(query, given) {
		const found = this.isSearching ? read(await this.ask('search_tools', { query, limit: 5 })).tools
			: this.tools;
		const [tool] = found.filter((one) => takes(one, given))
			.sort((a, b) => rate(b, query) - rate(a, query));

		if (!tool) throw new Error(`no tool for "${query}" with ${given}: ${found.map((one) => one.name)}`);
		return tool;
	}

	call(tool, args) {
		return this.isSearching ? this.ask('call_tool', { name: tool.name, arguments: args })
			: this.ask(tool.name, args);
	}

	/** All records of a list, page by page. */
	async records(query, args = {}) {
		const tool = await this.find(query, Object.keys(args));
		const fitting = fit(tool, args);
		const records = [];
		let cursor;

		do {
			const page = read(await this.call(tool, { ...fitting, ...cursor ? { cursor } : {} }));
			if (page.next_cursor && page.next_cursor === cursor) throw new Error('the cursor stands still');
			records.push(...page.result ?? []);
			cursor = page.next_cursor;
		} while (cursor);
		return records;
	}
}
