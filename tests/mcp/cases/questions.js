// Ten questions of recruiters, answered with the tools alone; the sandbox knows whether rightly.
import assert from 'node:assert/strict';
import { Agent, unmark } from '../agent.js';
import { makeHttp, withClient } from '../connect.js';
import { Stage } from '../stage.js';

const TOKENS_MAX = 25000;
const limit = 100;

const count = (list) => list.reduce((sum, one) => ({ ...sum, [one]: (sum[one] ?? 0) + 1 }), {});

/** What the sandbox knows, and whom the questions are about. */
async function learnTruth(stage) {
	const truth = {};

	for (const name of ['offers', 'candidates', 'placements', 'events', 'results', 'admins', 'notes',
		'stages', 'locations', 'tasks']) {
		const answer = await fetch(`${stage.sandbox.url}/sandbox/records?collection=${name}`);
		truth[name] = (await answer.json()).records;
	}
	const title = (offer) => offer?.title;
	const of = (list) => new Map(list.map((one) => [one.id, one]));
	const admin = of(truth.admins);
	truth.candidate = of(truth.candidates);
	truth.offer = of(truth.offers);
	truth.stage = of(truth.stages);
	truth.admin = (id) => (admin.has(id) ? `${admin.get(id).first_name} ${admin.get(id).last_name}`
		: 'A guest');
	truth.job = truth.offers.find((one) => /glassblower/i.test(title(one)));
	const noted = count(truth.notes.map((one) => one.candidate_id));
	truth.noted = truth.candidates.find((one) => noted[one.id] > 2 && one.emails.length > 0
		&& truth.candidates.filter(({ name }) => name === one.name).length === 1);
	truth.placed = truth.placements.filter((one) => one.offer_id === truth.job.id);
	return truth;
}

export async function open() {
	const stage = await Stage.open('--candidates', '500', '--seed', '7');

	stage.truth = await learnTruth(stage);
	stage.all = await stage.makeServer({ methods: ['read'] });
	stage.search = await stage.makeServer({ mode: 'search' });
	return stage;
}

async function findJob(agent, title) {
	const jobs = await agent.records('list jobs', { limit, fields: ['id', 'name'] });

	return jobs.find((one) => one.name === title).id;
}

async function findCandidate(agent, name) {
	const [found] = await agent.records('list candidates', { name, fields: ['id', 'name'], limit });

	return found.id;
}

/** Each: what is asked, how it is answered, what the answer is. */
const questions = {
	'who interviewed the candidates for the glassblower job, and how did they rate them': {
		answer: async (agent, { job }) => {
			const id = await findJob(agent, job.title);
			const interviews = await agent.records('list interviews',
				{ job_id: id, limit, fields: ['candidate', 'interviewers'] });
			const cards = await agent.records('list scorecards',
				{ job_id: id, limit, fields: ['candidate', 'interviewer', 'overall_recommendation'] });
			return [
				...interviews.map((one) => `${one.candidate.name} met ${
					one.interviewers.map(({ name }) => name).sort()}`),
				...cards.map((one) => `${one.candidate.name}: ${one.interviewer.name} says ${
					one.overall_recommendation}`)].sort();
		},
		truth: (truth) => [
			...truth.events.filter((one) => one.offer_id === truth.job.id)
				.map((one) => `${truth.candidate.get(one.candidate_id).name} met ${
					one.admin_ids.map(truth.admin).sort()}`),
			...truth.results.filter((one) => one.offer_id === truth.job.id)
				.map((one) => `${truth.candidate.get(one.candidate_id).name}: ${
					truth.admin(one.admin_id)} says ${one.rating ?? undefined}`)].sort(),
	},
	'which jobs are open, and in which departments': {
		answer: async (agent) => (await agent.records('list jobs',
			{ status: 'open', limit, fields: ['name', 'departments'] }))
			.map((one) => `${one.name}, ${one.departments?.[0].name}`).sort(),
		truth: (truth) => truth.offers.filter((one) => one.kind === 'job' && one.status === 'published')
			.map((one) => `${one.title}, ${one.department_name ?? undefined}`).sort(),
	},
	'who was hired for which job': {
		answer: async (agent) => (await agent.records('list applications',
			{ status: 'hired', limit, fields: ['candidate', 'job'] }))
			.map((one) => `${one.candidate.name}, ${one.job.name}`).sort(),
		truth: (truth) => truth.placements
			.filter((one) => one.hired_at && one.offer_id && !one.is_disqualified)
			.map((one) => `${truth.candidate.get(one.candidate_id).name}, ${
				truth.offer.get(one.offer_id).title}`).sort(),
	},
	'what do the notes on a candidate say': {
		answer: async (agent, { noted }) => {
			const id = await findCandidate(agent, noted.name);
			return (await agent.records('list candidate notes', { candidate_id: id, limit }))
				.map((one) => unmark(one.text)).sort();
		},
		truth: (truth) => truth.notes.filter((one) => one.candidate_id === truth.noted.id)
			.map((one) => one.text).sort(),
	},
	'why were candidates turned down for the glassblower job': {
		answer: async (agent, { job }) => count((await agent.records('list applications',
			{ job_id: await findJob(agent, job.title), limit, fields: ['status', 'reject_reason'] }))
			.filter((one) => ['rejected', 'withdrawn'].includes(one.status))
			.map((one) => one.reject_reason?.name)),
		truth: (truth) => count(truth.placed.filter((one) => one.is_disqualified)
			.map((one) => one.disqualify_reason ?? undefined)),
	},
	'how many candidates are at each step for the glassblower job': {
		answer: async (agent, { job }) => count((await agent.records('list applications',
			{ job_id: await findJob(agent, job.title), limit, fields: ['status', 'current_stage'] }))
			.filter((one) => !['rejected', 'withdrawn'].includes(one.status))
			.map((one) => one.current_stage.name)),
		truth: (truth) => count(truth.placed.filter((one) => !one.is_disqualified)
			.map((one) => truth.stage.get(one.stage_id).name)),
	},
	'in which cities does the company have offices': {
		answer: async (agent) => (await agent.records('list locations', { limit, fields: ['city'] }))
			.map((one) => one.city).sort(),
		truth: (truth) => truth.locations.map((one) => one.city).sort(),
	},
	'who works in the ATS, and how are they reached': {
		answer: async (agent) => (await agent.records('list users',
			{ limit, fields: ['name', 'emails'] })).map((one) => `${one.name} ${one.emails[0].email}`).sort(),
		truth: (truth) => truth.admins.map((one) => `${truth.admin(one.id)} ${one.email}`).sort(),
	},
	'which tasks are open, and about whom': {
		answer: async (agent) => (await agent.records('list tasks',
			{ limit, fields: ['title', 'completed', 'candidate_id'] }))
			.filter((one) => !one.completed).map((one) => `${one.title} ${one.candidate_id}`).sort(),
		truth: (truth) => truth.tasks.filter((one) => !one.completed)
			.map((one) => `${one.title} ${one.candidate_id}`).sort(),
	},
	'how is a candidate reached, and what did they apply for': {
		answer: async (agent, { noted }) => {
			const [one] = await agent.records('list candidates',
				{ name: noted.name, limit, fields: ['emails', 'applications.job'] });
			return [one.emails.map(({ email }) => email).sort(),
				(one.applications ?? []).map(({ job }) => job.name).sort()];
		},
		truth: (truth) => [[...truth.noted.emails].sort(), truth.placements
			.filter((one) => one.candidate_id === truth.noted.id && one.offer_id)
			.map((one) => truth.offer.get(one.offer_id).title).sort()],
	},
};

/** The premises of a question are the asker's; the answer is found with the tools alone. */
async function askAll(stage, server, isSearching, name) {
	const { answer, truth } = questions[name];
	const { title } = stage.truth.job;
	const premises = { job: { title }, noted: { name: stage.truth.noted.name } };

	await withClient('v2 modern', makeHttp('v2 modern', server), async (client) => {
		const agent = await Agent.start(client, isSearching);
		agent.begin();
		const found = await answer(agent, premises);
		console.log(`       ${agent.tokens} tokens, ${agent.calls} calls`);
		assert.equal(Array.isArray(found) ? found.length > 0 : Object.keys(found).length > 0, true);
		assert.deepEqual(found, truth(stage.truth));
		assert.equal(agent.tokens <= TOKENS_MAX, true, `${agent.tokens} tokens`);
	});
}

export const cases = Object.fromEntries(Object.keys(questions).flatMap((name) => [
	[`${name}? (all tools)`, (stage) => askAll(stage, stage.all, false, name)],
	[`${name}? (two tools)`, (stage) => askAll(stage, stage.search, true, name)],
]));
