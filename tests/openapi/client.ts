// A small program against a running server, typed by the OpenAPI document alone: a wrong path,
// parameter, field or type does not compile.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./build/tenon.js";

type Candidate = components["schemas"]["Candidate"];

const [baseUrl, key, account] = process.argv.slice(2);
assert(baseUrl && key && account);

// Lists are parted by commas, as the document says; this library has to be told.
const client = createClient<paths, "application/json">({
  baseUrl,
  headers: { Authorization: `Bearer ${key}` },
  querySerializer: { array: { style: "form", explode: false } },
});
const of = { integrated_account_id: account };

// Reads: a page, a record of it, and the next page.
const page = await client.GET("/unified/ats/candidates", { params: { query: { ...of, limit: 5, fields: ["id", "name", "emails"] } } });
assert(page.data, JSON.stringify(page.error));
assert(Array.isArray(page.data.result));
const first: Candidate | undefined = page.data.result[0];
assert(first?.id);
assert.equal(page.data.result_count, 5);
assert(page.data.next_cursor);
const next = await client.GET("/unified/ats/candidates", { params: { query: { ...of, limit: 5, fields: ["id"], next_cursor: page.data.next_cursor } } });
assert.equal(next.data?.result_count, 5);

const jobs = await client.GET("/unified/ats/jobs", { params: { query: { ...of, "status[in]": ["open", "draft"] } } });
assert(Array.isArray(jobs.data?.result) && jobs.data.result.length > 0);
for (const job of jobs.data.result) {
  const status: "draft" | "pending" | "open" | "internal" | "closed" | "archived" | "other" | null | undefined = job.status;
  assert(status === "open" || status === "draft");
}

// Writes: a candidate is made, tagged, and deleted.
const made = await client.POST("/unified/ats/candidates", {
  params: { query: of, header: { "Idempotency-Key": "typed-client-1" } },
  body: { name: "Noor Achterberg", emails: [{ email: "noor@achterberg.example" }] },
});
assert.equal(made.response.status, 201, JSON.stringify(made.error));
const id = made.data && "id" in made.data ? made.data.id : undefined;
assert(id);
const tagged = await client.POST("/unified/ats/candidates/{id}/add-tag", {
  params: { path: { id }, query: of },
  body: { tag: { name: "typed" } },
});
assert(tagged.data && "tags" in tagged.data);
assert(tagged.data.tags?.some((tag) => tag.name === "typed"));
const deleted = await client.DELETE("/unified/ats/candidates/{id}", { params: { path: { id }, query: of } });
assert(deleted.data && "id" in deleted.data && deleted.data.id === id);

// Errors have one shape.
const gone = await client.GET("/unified/ats/candidates/{id}", { params: { path: { id }, query: of } });
assert.equal(gone.error?.error, "not_found");

// Discovery.
const capabilities = await client.GET("/integrated-account/{id}/capabilities", { params: { path: { id: account }, query: { type: "unified", resource: "candidates" } } });
assert(capabilities.data?.unified[0]?.methods.includes("create"));
assert.equal(capabilities.data?.account?.status, "active");
console.log("the typed client is done");
