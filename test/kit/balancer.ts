import { Agent, createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface Replica {
  readonly base: string;
  /** Where `/readyz` is asked; left out, the balancer does not look, and learns of an end by being refused. */
  readonly ops?: string;
}

/** As often as balancers do, or somewhat oftener: well within the time for which an ending process says so. */
const LOOK_MS = 250;

/**
 * What stands before replicas, as plain as it may be: kept connections, round robin, no request to whom is not ready, and the next
 * replica where a connection is refused, because nothing has left then. Nothing else is tried twice: a POST that was cut off may have
 * been acted upon.
 */
export async function balancer(replicas: readonly Replica[]): Promise<{ readonly base: string }> {
  const agents = replicas.map(() => new Agent({ keepAlive: true }));
  const ready = replicas.map(() => true);
  const look = async (at: number, ops: string): Promise<void> => {
    ready[at] = await fetch(`${ops}/readyz`, { signal: AbortSignal.timeout(4 * LOOK_MS) }).then(
      async (answer) => {
        await answer.bytes();
        return answer.ok;
      },
      () => false,
    );
    // Kept for nobody: what it closes later is not what a request has just been sent on.
    if (!ready[at]) for (const idle of Object.values(agents[at]!.freeSockets).flat()) idle?.destroy();
  };
  const looking = setInterval(() => {
    for (const [at, { ops }] of replicas.entries()) if (ops !== undefined) void look(at, ops);
  }, LOOK_MS);
  let turn = 0;
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    turn += 1;
    const first = turn;
    let problem: unknown;
    // Where nobody is ready all are asked: then the answer is theirs.
    const all = [...replicas.keys()].map((i) => (first + i) % replicas.length);
    const some = all.filter((at) => ready[at]);
    for (const at of some.length > 0 ? some : all) {
      try {
        const answer = await pass(
          new URL(incoming.url ?? "/", replicas[at]!.base),
          agents[at]!,
          incoming,
          body,
        );
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
        return;
      } catch (error) {
        problem = error;
        if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") break;
      }
    }
    outgoing.writeHead(502, { "content-type": "application/json" });
    outgoing.end(JSON.stringify({ code: `balancer: ${String(problem)}` }));
  });
  // As `listen` has it: none is closed under a client that is about to use it.
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    clearInterval(looking);
    for (const agent of agents) agent.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function pass(url: URL, agent: Agent, incoming: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { connection: _ours, ...headers } = incoming.headers;
    request(
      url,
      { agent, method: incoming.method ?? "GET", headers: { ...headers, host: url.host } },
      resolve,
    )
      .on("error", reject)
      .end(body);
  });
}
