// An agent without a model: it knows the protocol and plain rules, and of the ATS only what tools,
// their schemas, searches and results tell it. It counts the tokens of what a model would read.
import { countTokens } from 'gpt-tokenizer';
import { textOf } from './connect.js';

const words = (text) => text.toLowerCase().split(/[^a-z]+/).filter((one) => one.length > 2);

/** How well a tool fits what is looked for: words of the name weigh more than others. */
function rate(tool, query) {
	const name = tool.name.replaceAll('_', ' ');

	return words(query).reduce((sum, word) => {
		const stem = word.replace(/s$/, '');
		return sum + (name.includes(stem) ? 3 : 0) + (tool.description.toLowerCase().includes(stem) ? 1 : 0);
	}, 0) - name.length / 100;
}

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

	/** The tool that fits best among those that take these arguments and only read. */
	async find(query, needed) {
		const found = this.isSearching ? read(await this.ask('search_tools', { query, limit: 3 })).tools
			: this.tools.filter(({ annotations }) => annotations.readOnlyHint)
				.sort((a, b) => rate(b, query) - rate(a, query));
		const tool = found.find(({ inputSchema }) =>
			needed.every((name) => inputSchema.properties[name]));

		if (!tool) throw new Error(`no tool for "${query}" with ${needed}: ${found.map((one) => one.name)}`);
		return tool;
	}

	call(tool, args) {
		return this.isSearching ? this.ask('call_tool', { name: tool.name, arguments: args })
			: this.ask(tool.name, args);
	}

	/** All records of a list, page by page. */
	async records(query, args = {}) {
		const tool = await this.find(query, Object.keys(args));
		const records = [];
		let cursor;

		do {
			const page = read(await this.call(tool, { ...args, ...cursor ? { cursor } : {} }));
			if (page.next_cursor && page.next_cursor === cursor) throw new Error('the cursor stands still');
			records.push(...page.result ?? []);
			cursor = page.next_cursor;
		} while (cursor);
		return records;
	}
}
