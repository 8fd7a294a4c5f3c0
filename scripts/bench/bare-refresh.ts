import { Agent, request } from "undici";

/** What the bench asks this process. Each token is presented once a round, and what comes back is presented in the next. */
export type ToBareLoop =
  | { readonly tokens: readonly string[] }
  | { readonly number: number; readonly connections: number; readonly amount: number };
export interface BareRound {
  readonly seconds: number;
  readonly refreshed: number;
  readonly latenciesMs: readonly number[];
}

/**
 * What refreshing costs at the least: the same requests to the same simulator over as many connections, the answer parsed, and
 * nothing stored but the next refresh token, in memory.
 */
const url = `${process.env.SIMULATOR}/auth/oauth2/token`;
let tokens: string[] = [];
let agent: { readonly connections: number; readonly of: Agent } | undefined;

process.on("message", (message: ToBareLoop) => {
  if ("tokens" in message) {
    tokens = [...message.tokens];
    return;
  }
  round(message.connections, message.amount).then((answer) =>
    process.send?.({ number: message.number, answer }),
  );
});
process.send?.({ port: 0 });

async function round(connections: number, amount: number): Promise<BareRound> {
  if (agent?.connections !== connections) {
    await agent?.of.close();
    agent = { connections, of: new Agent({ connections }) };
  }
  const dispatcher = agent.of;
  const latenciesMs: number[] = [];
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < Math.min(amount, tokens.length)) {
      const at = next++;
      const sentAt = performance.now();
      const { statusCode, body } = await request(url, {
        dispatcher,
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({
          ...{ grant_type: "refresh_token", refresh_token: tokens[at]! },
          ...{ client_id: "token-broker", client_secret: "sim_secret_token-broker" },
        }).toString(),
      });
      const answer = (await body.json()) as { refresh_token?: string };
      if (statusCode !== 200 || answer.refresh_token === undefined) throw new Error(`refused: ${statusCode}`);
      tokens[at] = answer.refresh_token;
      latenciesMs.push(performance.now() - sentAt);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: connections }, one));
  return { seconds: (performance.now() - startedAt) / 1_000, refreshed: latenciesMs.length, latenciesMs };
}
