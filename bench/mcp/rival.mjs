// An MCP server on the official TypeScript SDK with the same tools as tenon, as its documentation
// shows how to write one: rival.mjs HOW TOOLS_JSON TOOL ATS_URL TOKEN. Prints its address.
//
// HOW: sdk-stateful   one server and one session, kept (v1)
//      sdk-stateless  a server and a transport made anew for each request, as the SDK's example does (v1)
//      sdk-kept       the same, but for the schemas, which are made once
//      sdk-v2         the second SDK's own stateless handler, in the protocol's current era
//      bare           no SDK: reads JSON, answers JSON, and asks no ATS
//
// The tool that is measured asks the ATS as tenon does and gives what it answers as compact JSON.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { z } from 'zod';

const [how, file, measured, url, token] = process.argv.slice(2);
const tools = JSON.parse(readFileSync(file, 'utf8'));

// The arguments of a tool in zod, as one would write them by hand.
function shape({ properties = {}, required = [] }) {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => {
    const type = described(schema);
    return [name, required.includes(name) ? type : type.optional()];
  }));
}
function described(schema) {
  const type = typed(schema);
  return schema.description ? type.describe(schema.description) : type;
}
function typed(schema) {
  if (schema.enum) return z.enum(schema.enum);
  switch (schema.type) {
    case 'string': return z.string();
    case 'integer': return z.int();
    case 'number': return z.number();
    case 'boolean': return z.boolean();
    case 'array': return z.array(described(schema.items));
    case 'object': return schema.properties ? z.object(shape(schema)) : z.looseObject({});
    default: return z.any();
  }
}

async function call(name) {
  if (name !== measured) throw new Error(`${name} is not measured`);
  const reply = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  if (!reply.ok) throw new Error(`the ATS answered ${reply.status}`);
  const [records] = Object.values(await reply.json());
  return { content: [{ type: 'text', text: JSON.stringify({ result: records }) }] };
}

const made = new Map(how === 'sdk-kept' ? tools.map((tool) => [tool.name, z.object(shape(tool.inputSchema))]) : []);

function fill(server) {
  for (const { name, title, description, annotations, inputSchema } of tools)
    server.registerTool(name, {
      title, description, annotations, inputSchema: made.get(name) ?? z.object(shape(inputSchema)),
    }, () => call(name));
  return server;
}

const about = { name: 'rival', version: '1' };

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

async function stateful() {
  const { McpServer } = await import('@modelcontextprotocol/sdk/server/mcp.js');
  const { StreamableHTTPServerTransport } = await import('@modelcontextprotocol/sdk/server/streamableHttp.js');
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => 'session', enableJsonResponse: true,
  });
  await fill(new McpServer(about)).connect(transport);
  return (request, response) => transport.handleRequest(request, response);
}

async function stateless() {
  const { McpServer } = await import('@modelcontextprotocol/sdk/server/mcp.js');
  const { StreamableHTTPServerTransport } = await import('@modelcontextprotocol/sdk/server/streamableHttp.js');
  return async (request, response) => {
    const server = fill(new McpServer(about));
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: undefined, enableJsonResponse: true,
    });
    response.on('close', () => { transport.close(); server.close(); });
    await server.connect(transport);
    await transport.handleRequest(request, response);
  };
}

async function second() {
  const { McpServer, createMcpHandler } = await import('@modelcontextprotocol/server');
  const { toNodeHandler } = await import('@modelcontextprotocol/node');
  return toNodeHandler(createMcpHandler(() => fill(new McpServer(about))));
}

async function bare() {
  return async (request, response) => {
    const { id } = await body(request);
    const text = JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'hello' }] } });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    response.end(text);
  };
}

const handle = await { 'sdk-stateful': stateful, 'sdk-stateless': stateless, 'sdk-kept': stateless, 'sdk-v2': second, bare }[how]();
const server = http.createServer(handle).listen(0, '127.0.0.1', () =>
  console.log(`http://127.0.0.1:${server.address().port}/mcp`));
