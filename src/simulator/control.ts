import express, { type ErrorRequestHandler, type Request, type Router } from "express";
import { ZodError } from "zod";
import { contentRoutes } from "./content-control.ts";
import type { Context } from "./context.ts";
import type { SimulatorEvent } from "./events.ts";
import type { Simulator } from "./simulator-handle.ts";
import { fingerprint } from "./tokens.ts";

const LONGEST_WAIT_MS = 120_000;

/**
 * Everything the handle can do, for another process. JSON in, JSON out. It guards nothing: whoever reaches
 * the simulator may drive it, which is why it listens on loopback unless told otherwise.
 */
export function controlRouter(in_: Context, simulator: Simulator): Router {
  const router = express.Router();
  router.use(express.json({ limit: "20mb" }));

  /** Answers with what `act` returns, after it is in the state file. */
  const route =
    (act: (req: Request) => unknown): express.RequestHandler =>
    async (req, res) => {
      const body = await act(req);
      if (req.method !== "GET") await in_.save();
      res.json(body ?? { ok: true });
    };

  router.get(
    "/",
    route(() => ({ origin: simulator.origin, routes: routesOf(router) })),
  );
  router.get(
    "/state",
    route(() => ({
      origin: simulator.origin,
      now: new Date(in_.now()).toISOString(),
      offset_ms: in_.state.offset_ms,
      seq: in_.events.seq,
      switches: simulator.switches(),
      faults: simulator.faults(),
      held: simulator.held(),
      registrations: in_.state.world.registrations.map(({ client_id }) => client_id),
      users: in_.state.world.users.map(({ customer_id, id }) => `${customer_id}/${id}`),
      libraries: in_.state.world.libraries.map(({ customer_id, id }) => `${customer_id}/${id}`),
    })),
  );

  router.get(
    "/truth",
    route(() => simulator.truth()),
  );
  // In a body, since what stands in a URL ends up in logs.
  router.post(
    "/truth/token",
    route(({ body }) => {
      const token = String(body.token ?? "");
      return {
        fingerprint: fingerprint(token),
        live: simulator.isRefreshTokenLive(token) || simulator.isAccessTokenLive(token),
        family: in_.families.familyOf(token)?.id ?? null,
      };
    }),
  );
  router.get(
    "/counts",
    route(() => simulator.counts()),
  );
  router.delete(
    "/counts",
    route(() => simulator.resetCounts()),
  );
  router.get(
    "/requests",
    route(({ query }) => simulator.requests(Number(query.after ?? 0))),
  );
  router.get(
    "/events",
    route(({ query }) => simulator.events(Number(query.after ?? 0))),
  );

  router.get(
    "/switches",
    route(() => simulator.switches()),
  );
  router.patch(
    "/switches",
    route(({ body }) => simulator.setSwitches(body)),
  );
  router.delete(
    "/switches",
    route(() => simulator.resetSwitches()),
  );

  router.get(
    "/faults",
    route(() => simulator.faults()),
  );
  router.post(
    "/faults",
    route(({ body }) => ({ id: simulator.addFault(body) })),
  );
  router.delete(
    "/faults",
    route(() => simulator.clearFaults()),
  );
  router.delete(
    "/faults/:id",
    route(({ params }) => simulator.clearFaults(named(params.id))),
  );
  router.get(
    "/held",
    route(() => simulator.held()),
  );
  router.post(
    "/release",
    route(({ body }) => ({ released: simulator.release(body?.id) })),
  );

  router.post(
    "/advance",
    route(({ body }) => {
      if (typeof body?.ms !== "number" || !(body.ms >= 0))
        throw new RangeError("ms must be a number, 0 or more");
      simulator.advance(body.ms);
      return { now: new Date(in_.now()).toISOString() };
    }),
  );
  router.post(
    "/tokens",
    route(({ body }) => simulator.issueTokens(body)),
  );
  router.post(
    "/families/end",
    route(({ body }) => ({ ended: simulator.endFamilies(body ?? {}) })),
  );

  router.post(
    "/families/restore-backup",
    route(({ body }) => {
      if (typeof body?.ago_ms !== "number" || !(body.ago_ms >= 0))
        throw new RangeError("ago_ms must be a number, 0 or more");
      simulator.restoreBackup({ agoMs: body.ago_ms });
    }),
  );

  contentRoutes(router, simulator, route);

  const { registrations, users, libraries } = simulator;
  router.get(
    "/registrations",
    route(() => registrations.list()),
  );
  router.get(
    "/registrations/:id",
    route(({ params }) => found(registrations.find(named(params.id)))),
  );
  router.put(
    "/registrations/:id",
    route(({ params, body }) => registrations.put({ ...body, client_id: named(params.id) })),
  );
  router.patch(
    "/registrations/:id",
    route(({ params, body }) => registrations.patch(named(params.id), body)),
  );
  router.delete(
    "/registrations/:id",
    route(({ params }) => registrations.remove(named(params.id))),
  );

  for (const [noun, of] of [
    ["users", users],
    ["libraries", libraries],
  ] as const) {
    const one = `/${noun}/:customer/:id`;
    router.get(
      `/${noun}`,
      route(() => of.list()),
    );
    router.get(
      one,
      route(({ params }) => found(of.find(Number(params.customer), named(params.id)))),
    );
    router.put(
      one,
      route(({ params, body }) =>
        of.put({ ...body, customer_id: Number(params.customer), id: named(params.id) }),
      ),
    );
    router.patch(
      one,
      route(({ params, body }) => of.patch(Number(params.customer), named(params.id), body)),
    );
    router.delete(
      one,
      route(({ params }) => of.remove(Number(params.customer), named(params.id))),
    );
  }

  router.get("/wait", async (req, res) => {
    const gone = new AbortController();
    res.once("close", () => gone.abort());
    try {
      res.json(
        await waitFor(in_, simulator, new URL(req.originalUrl, "http://simulator").searchParams, gone.signal),
      );
    } catch (error) {
      if (!gone.signal.aborted) res.status(408).json({ error: String((error as Error).message) });
    }
  });

  router.use((_req, res) => {
    res.status(404).json({ error: "there is no such control route; GET /_simulator/ lists them" });
  });
  const failed: ErrorRequestHandler = (error, _req, res, next) => {
    if (res.headersSent) return next(error);
    if (error instanceof ZodError) res.status(400).json({ error: "not readable", issues: error.issues });
    else if (error instanceof RangeError || typeof error?.status === "number")
      res.status(error.status ?? 400).json({ error: error.message });
    else res.status(500).json({ error: String(error?.message ?? error) });
  };
  router.use(failed);
  return router;
}

/**
 * `event=held` looks at what is held at this moment, so it cannot come too late. Any other event is one
 * after `after` (a seq from GET /state), or after now. Every other parameter must equal a field of it.
 */
async function waitFor(
  in_: Context,
  simulator: Simulator,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<{ event: SimulatorEvent | null; held: unknown[]; seq: number }> {
  const { event: type, after, timeout_ms, count: wanted, ...fields } = Object.fromEntries(query);
  const fits = (of: object) =>
    Object.entries(fields).every(([name, value]) => String((of as Record<string, unknown>)[name]) === value);
  const timeoutMs = Math.min(Number(timeout_ms ?? 30_000), LONGEST_WAIT_MS);
  const least = Number(wanted ?? 1);

  const held = () => simulator.held().filter(fits);
  if (type === "held") {
    const event = await simulator.waitFor(() => held().length >= least, timeoutMs, signal);
    return { event: event ?? null, held: held(), seq: in_.events.seq };
  }
  const from = Number(after ?? in_.events.seq);
  const since = () =>
    simulator.events(from).filter((event) => (type === undefined || event.type === type) && fits(event));
  await simulator.waitFor(() => since().length >= least, timeoutMs, signal);
  return { event: since()[least - 1] ?? null, held: simulator.held(), seq: in_.events.seq };
}

const named = (parameter: string | string[] | undefined): string => String(parameter ?? "");

function found<T>(one: T | undefined): T {
  if (one === undefined) throw Object.assign(new RangeError("there is no such thing"), { status: 404 });
  return one;
}

const routesOf = (router: Router): string[] =>
  router.stack.flatMap((layer) =>
    layer.route === undefined
      ? []
      : layer.route.stack.map((handler) => `${handler.method.toUpperCase()} /_simulator${layer.route!.path}`),
  );
