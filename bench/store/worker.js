// graphile-worker at jobs that do nothing: as fast as its documents say it can be made, with a local
// queue and jobs completed in batches. usage: node worker.js DATABASE COUNT BATCH
import { run } from "graphile-worker";

const [connectionString, count, batch] = process.argv.slice(2);
let done = 0;
let finish;
const isDone = new Promise((resolve) => { finish = resolve; });
const began = performance.now();
const runner = await run({
  connectionString,
  noHandleSignals: true,
  logger: undefined,
  preset: {
    worker: {
      concurrentJobs: 24,
      maxPoolSize: 24,
      pollInterval: 100,
      localQueue: { size: Number(batch) },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
  taskList: {
    nothing: () => {
      if (++done === Number(count)) finish();
    },
  },
});
await isDone;
await runner.stop();
console.log(JSON.stringify({ done, ms: performance.now() - began }));
process.exit(0);
