// An authorization server (oidc-provider, with rotation of refresh tokens and detection of their
// reuse) and an ATS behind it, for the tests of OAuth. What is told here of tokens is the truth
// that tenon is held against. It prints one line with its address.
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Provider } from 'oidc-provider';

const CLIENT = 'tenon';
const SECRET = process.env.CLIENT_SECRET ?? 'a secret/with: odd+characters';
const SCOPE = 'openid offline_access candidates.read';
// Of `rare` of the requests up to before_ms, of the others up to often_ms; `late` of them act first
// and wait then. after_ms is waited in any case.
const delay = { before_ms: 0, after_ms: 0, often_ms: 0, rare: 1, late: 0 };
const counts = {
  requests: 0, dropped: 0, rotations: 0, refused: 0, reuses: 0, under_way: 0, unanswered: 0,
  calls: 0, calls_refused: 0, clients: 0,
};

// Each request with a refresh token: whose grant it is, how often that had been rotated, and what
// came of it: { grant, version, outcome: 'under way' | 'dropped' | 'rotated' | 'refused' }.
const refreshes = [];

const server = http.createServer();
await new Promise((done) => { server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', 4096, done); });
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: CLIENT,
    client_secret: SECRET,
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    redirect_uris: [`${issuer}/unused`, ...(process.env.REDIRECT_URI ? [process.env.REDIRECT_URI] : [])],
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  scopes: ['openid', 'offline_access', 'candidates.read'],
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    // Who names a resource gets a JWT for it.
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: () => ({ scope: 'mcp:read mcp:write', accessTokenFormat: 'jwt' }),
    },
  },
  ttl: { AccessToken: 3600, ClientCredentials: 3600, RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 600 },
  findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  pkce: { required: () => true, methods: ['S256'] },
  cookies: { keys: ['of a test'] },
});
provider.on('grant.success', (ctx) => {
  const type = ctx.oidc.params.grant_type;
  if (type === 'refresh_token') counts.rotations += 1;
  if (type === 'client_credentials') counts.clients += 1;
});
provider.on('grant.error', (ctx, err) => {
  counts.refused += 1;
  if (/already used/.test(err.error_detail ?? '')) counts.reuses += 1;
});

// Whoever comes is somebody and agrees.
async function interact(request, response) {
  const { uid, prompt, params, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId: 'somebody' } });
    return;
  }
  const grant = grantId ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: 'somebody', clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
  void uid;
}

async function makeGrant() {
  const grant = new provider.Grant({ accountId: 'somebody', clientId: CLIENT });
  grant.addOIDCScope(SCOPE);
  const grantId = await grant.save();
  const client = await provider.Client.find(CLIENT);
  const common = { accountId: 'somebody', client, grantId, gty: 'authorization_code', scope: SCOPE };
  const access = await new provider.AccessToken(common).save();
  const refresh = await new provider.RefreshToken({ ...common, rotations: 0 }).save();
  return { grant: grantId, credentials: { access_token: access, refresh_token: refresh } };
}

async function findToken(request) {
  const [, value] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
  if (value === undefined) return undefined;
  const token = await provider.AccessToken.find(value) ?? await provider.ClientCredentials.find(value);
  return token?.isValid ? token : undefined;
}

function answer(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

// Paths of the ATS which answer another status than 200.
let faults = {};
// A request has come that gets no answer.
let begun;
const hanging = new Promise((done) => { begun = done; });

// The ATS: the last token that it took is the one that `expire` ends; of a grant or of all.
let last;
const lasts = new Map();
async function ats(request, response) {
  counts.calls += 1;
  const token = await findToken(request);
  if (token === undefined) {
    counts.calls_refused += 1;
    answer(response, 401, { error: 'the token is not valid' });
    return;
  }
  last = token;
  lasts.set(token.grantId, token);
  const { pathname } = new URL(request.url, issuer);
  if (faults[pathname] < 0) {
    begun();
    return;
  }
  if (faults[pathname]) {
    answer(response, faults[pathname], { error: 'not now' });
    return;
  }
  answer(response, 200, { candidates: [{ id: 1, name: 'Ada' }], user: { id: 7 } });
}

async function control(request, response) {
  let text = '';
  for await (const piece of request) text += piece;
  const given = text === '' ? {} : JSON.parse(text);
  switch (request.url) {
    case '/control/grant': answer(response, 200, (await makeGrant()).credentials); return;
    case '/control/named-grant': answer(response, 200, await makeGrant()); return;
    case '/control/refreshes': answer(response, 200, refreshes); return;
    case '/control/delay': Object.assign(delay, given); answer(response, 200, delay); return;
    case '/control/counts': answer(response, 200, counts); return;
    case '/control/faults': faults = given; answer(response, 200, faults); return;
    case '/control/wait': await hanging; answer(response, 200, {}); return;
    case '/control/expire': {
      const token = given.grant === undefined ? last : lasts.get(given.grant);
      await token?.destroy();
      answer(response, 200, { expired: token !== undefined });
      last = undefined;
      lasts.delete(given.grant);
      return;
    }
    default: answer(response, 404, {});
  }
}

async function noteRefresh(request) {
  let text = '';
  for await (const piece of request) text += piece;
  request.body = text; // for the provider, which takes what has been read
  const value = new URLSearchParams(text).get('refresh_token');
  const found = value === null ? undefined : await provider.RefreshToken.find(value);
  const note = { grant: found?.grantId, version: found?.rotations, outcome: 'under way' };
  if (value !== null) refreshes.push(note);
  return note;
}

function drawDelay() {
  const longest = Math.random() < delay.rare ? delay.before_ms : delay.often_ms;
  const took = Math.random() * longest;
  return Math.random() < delay.late ? [0, took + delay.after_ms] : [took, delay.after_ms];
}

// A slow provider. One that waits before it acts does not act for a caller who has gone.
async function token(request, response) {
  let isGone = false;
  const [before, after] = drawDelay();
  counts.requests += 1;
  counts.under_way += 1;
  request.socket.once('close', () => { isGone = true; });
  try {
    const note = await noteRefresh(request);
    if (before > 0) await sleep(before);
    if (isGone) {
      counts.dropped += 1;
      note.outcome = 'dropped';
      return;
    }
    if (after > 0) {
      const end = response.end.bind(response);
      response.end = (...all) => { setTimeout(() => end(...all), after); return response; };
    }
    await provider.callback()(request, response);
    note.outcome = response.statusCode === 200 ? 'rotated' : 'refused';
    if (after > 0) await sleep(after);
    if (isGone) counts.unanswered += 1;
  } finally {
    counts.under_way -= 1;
  }
}

server.on('request', (request, response) => {
  const path = request.url.split('?')[0];
  let handler = provider.callback();
  if (path.startsWith('/control/')) handler = control;
  else if (path.startsWith('/interaction/')) handler = interact;
  else if (path === '/token') handler = token;
  else if (path.startsWith('/ats/')) handler = ats;
  Promise.resolve(handler(request, response)).catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    response.destroy();
  });
});
process.stdout.write(`${issuer}\n`);
