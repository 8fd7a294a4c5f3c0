import { startSimulator } from "../../src/simulator/start-simulator.ts";

/** What the bench asks this process, and is answered under the same number. */
export type ToSimulator =
  | { readonly ask: "issue"; readonly users: number; readonly times: number }
  | { readonly ask: "refreshed" }
  | { readonly ask: "live"; readonly tokens: readonly string[] };
export interface Issued {
  readonly user: string;
  readonly access_token: string;
  readonly refresh_token: string;
}

/** The simulator as a process of its own. Besides its ports it answers its parent, who asks for thousands at once. */
const simulator = await startSimulator();
simulator.registrations.patch("token-broker", { access: "all_users" });
// Every user has an authorization at each of the firms, which are one server here.
simulator.setSwitches({ new_consent: "keeps" });

process.on("message", ({ number, ...message }: ToSimulator & { number: number }) => {
  process.send?.({ number, answer: answer(message) });
});
process.send?.({ port: Number(new URL(simulator.origin).port) });

function answer(message: ToSimulator): unknown {
  switch (message.ask) {
    case "issue":
      return Array.from({ length: message.users }, (_, i) => `user.${i}`).flatMap((user) => {
        simulator.users.put({ customer_id: 5948, id: user, password: "x" });
        return Array.from({ length: message.times }, () => ({
          user,
          ...simulator.issueTokens({ client_id: "token-broker", user }),
        }));
      });
    case "refreshed":
      return simulator.truth().families.reduce((sum, { refreshes }) => sum + refreshes, 0);
    case "live":
      return message.tokens.filter((token) => simulator.isRefreshTokenLive(token)).length;
  }
}
