import type { ProvenPromise } from "../kit/promise.ts";

/** Jobs, the morning's herd, receivers and keys: F36 to F40. */
export const jobsFaults: readonly ProvenPromise[] = [
  {
    id: "F36",
    promise:
      "The morning's herd: users who ask have their tokens in time, and only what was used or is due is refreshed.",
    proofs: [
      {
        file: "test/stories/morning-herd.test.ts",
        title: "F36 at nine",
        full: { TEST_HERD_GRANTS: "50000", TEST_HERD_USERS: "2000" },
        without: {
          guard: "the bound on refreshes under way at one server",
          file: "src/store/lua/gate.lua",
          replace: "if redis.call('ZCARD', running) >= limit then",
          by: "if false then",
        },
      },
      {
        file: "test/stories/morning-herd.test.ts",
        title: "F36 with all that the background",
        without: {
          guard: "the part of a server's concurrency that only interactive work may use",
          file: "src/store/lua/gate.lua",
          replace: "background and limits.background or limits.concurrency",
          by: "limits.concurrency",
        },
      },
      {
        file: "test/stories/refresh-ahead.test.ts",
        title: "kept alive, weekly (F36)",
        without: {
          guard: "only a grant that somebody uses is refreshed before it expires",
          file: "src/store/lua/refresh-commit.lua",
          replace: "if used > 0 and now - used <= 2 * tonumber(ARGV[12]) then",
          by: "if true then",
        },
      },
    ],
  },
  {
    id: "F37",
    promise: "A job that takes its process down is put aside after three starts, and nobody suffers with it.",
    proofs: [
      {
        file: "test/workers/poison-jobs.test.ts",
        title: "F37 a job that aborts its process",
        full: { TEST_OTHER_JOBS: "1000" },
        without: {
          guard: "the fourth start that is refused",
          file: "src/domain/job-starts.ts",
          replace: 'asideMs === 0 ? "run_alone" : "put_aside"',
          by: '"run_alone"',
        },
      },
      {
        file: "test/workers/crash-guard.test.ts",
        title: "F37 what ran when a process died",
        without: {
          guard: "suspects run one at a time",
          file: "src/workers/crash-guard.ts",
          replace: "    await before;\n",
          by: "",
        },
      },
    ],
  },
  {
    id: "F38",
    promise: "A killed worker's job runs again within 15 s: nothing is lost, nothing takes effect twice.",
    proofs: [
      {
        file: "test/workers/killed-workers.test.ts",
        title: "F38 a job whose worker is killed",
        full: { TEST_KILLS_OF_ONE_JOB: "20" },
        without: {
          guard: "a lock of 10 s on a running job, instead of BullMQ's 30 s",
          file: "src/workers/start-workers.ts",
          replace: "lockMs: seconds(10)",
          by: "lockMs: seconds(30)",
        },
      },
      {
        file: "test/workers/killed-workers.test.ts",
        title: "before it stores anything",
        full: { TEST_KILLS_WITHOUT_PROGRESS: "20" },
        without: {
          guard: "the one try that a job has each hour after it was put aside",
          file: "src/domain/job-starts.ts",
          replace: 'asideMs === 0 ? "run_alone" : "put_aside"',
          by: '"put_aside"',
        },
      },
      {
        file: "test/workers/crash-guard.test.ts",
        title: "F38 a page that was stored is progress",
        without: {
          guard: "progress takes earlier starts back",
          file: "src/workers/crash-guard.ts",
          replace: "          await starts.progressed(id, run, this.#lifeMs);\n",
          by: "",
        },
      },
      {
        file: "test/workers/killed-workers.test.ts",
        title: "moments drawn by lot",
        full: { TEST_WORKER_KILLS: "200" },
        without: {
          guard: "what was told of an object is remembered with the page that told it",
          file: "src/sync/tell.ts",
          replace: 'if (before?.version !== version && wants.includes("documents")) {',
          by: 'if (wants.includes("documents")) {',
        },
      },
    ],
  },
  {
    id: "F39",
    promise:
      "A receiver of events that is down for a day misses nothing, gets everything in order when it is back, and costs the others nothing.",
    proofs: [
      {
        file: "test/events/receiver-down.test.ts",
        title: "F39 a receiver that is down for a day misses nothing",
        full: { TEST_RECEIVER_EVENTS: "10000" },
        without: {
          guard: "a probe of a receiver that is down is no attempt at the event it carries",
          file: "src/events/delivery-plan.ts",
          replace: "if (!probing) return { ...calm, receiver: next, ...again(tries + 1) };",
          by: "return { ...calm, receiver: next, ...again(tries + 1) };",
        },
      },
      {
        file: "test/events/deliver.test.ts",
        title: "that is well again is sent what waits for an hour yet",
        without: {
          guard: "the first event that it takes makes every lane due",
          file: "src/events/delivery-plan.ts",
          replace: "const wake = isDown(receiver) || receiver.pausedUntil !== undefined;",
          by: "const wake = false;",
        },
      },
      {
        file: "test/events/dead-receiver.test.ts",
        title: "one receiver that hangs costs the others nothing",
        full: { TEST_RECEIVERS: "100", TEST_RECEIVER_ROUNDS: "12" },
        without: {
          guard: "a place for each of many receivers at the same time",
          file: "src/workers/start-workers.ts",
          replace: "deliveries = 100 }",
          by: "deliveries = 1 }",
        },
      },
      {
        file: "test/events/deliver.test.ts",
        title: "between sending and noting it: the event comes again under the same id, and order is kept",
        without: {
          guard: "who takes the lease is due again when it ends",
          file: "src/store/lua/delivery-begin.lua",
          replace: "redis.call('ZADD', KEYS[3], string.format('%.0f', now + tonumber(ARGV[3])), ARGV[1])",
          by: "redis.call('ZREM', KEYS[3], ARGV[1])",
        },
      },
      {
        file: "test/events/deliver.test.ts",
        title: "leaves its place to one at a time: who has lost the lease changes nothing",
        without: {
          guard: "the lease of a subscription",
          file: "src/store/lua/delivery-begin.lua",
          replace: "if d[1] and d[1] ~= ARGV[2] and tonumber(d[2]) > now then return { 'leased' } end",
          by: "",
        },
      },
    ],
    differs:
      "A lane's event has ten attempts over three days and three and a half hours, as Standard Webhooks' table has it, not twelve; while a receiver is down it is probed instead, every five minutes at most.",
  },
  {
    id: "F40",
    promise:
      "A data key is rotated under load, and whoever does it is killed: no request fails, all is sealed anew, and no key goes while anything needs it.",
    proofs: [
      {
        file: "test/race/key-rotation-killed.test.ts",
        title: "under load: each request is served",
        full: {
          TEST_ROTATED_GRANTS: "100000",
          TEST_ROTATION_KILLS: "50",
          TEST_ROTATION_RATE: "500",
          TEST_ROTATION_PROCESSES: "2",
        },
        without: {
          guard: "the old key, which opens while secrets are sealed anew",
          file: "src/broker/keys/rotate-data-keys.ts",
          replace: "keys: { ...keys, current: rotation.to },",
          by: "keys: { ...keys, current: rotation.to, wrapped: { [rotation.to]: keys.wrapped[rotation.to]!, fingerprint: keys.wrapped.fingerprint! } },",
        },
      },
      {
        file: "test/stories/data-key-rotation.test.ts",
        title: "what a refresh stores while its grant is sealed anew stays",
        without: {
          guard: "the text that was read, in what replaces it",
          file: "src/store/lua/reseal-grant.lua",
          replace: "after[ARGV[i]] = ARGV[i + 1] end",
          by: "after[ARGV[i]] = ARGV[i + 1] end\nsetmetatable(after, { __index = function() return ARGV[3] end })",
        },
      },
      {
        file: "test/stories/data-key-rotation.test.ts",
        title: "no data key is retired while anything names it",
        without: {
          guard: "counting what lies where nobody seals it anew",
          file: "src/store/lua/sealed-find.lua",
          replace: "  elseif any(values_of(key)) then",
          by: "  elseif noun == 'registration' and any(values_of(key)) then",
        },
      },
      {
        file: "test/stories/data-key-rotation.test.ts",
        title: "each token is served before, meanwhile and after",
        without: {
          guard: "the time in which a process may still write what it sealed before",
          file: "src/domain/data-key-rotation.ts",
          replace: "return last.startedAt < keptUntil ?",
          by: "return last.startedAt < 0 ?",
        },
      },
      {
        file: "test/stories/data-key-rotation.test.ts",
        title: "a page that comes while changes are copied",
        without: {
          guard: "looking whether the copy has everything before it takes the place",
          file: "src/store/lua/take-changes-copy.lua",
          replace: "if copied ~= last then return 0 end",
          by: "redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', redis.call('XLEN', KEYS[2]))",
        },
      },
    ],
  },
];
