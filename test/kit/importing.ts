import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { minutes } from "../../src/domain/instant.ts";
import { BY_TEST } from "./put-records.ts";
import { runCli } from "./run-cli.ts";
import type { World } from "./world.ts";

/** Another system's table of refresh tokens, and how it works with them: as whoever wrote his own. */
export class OldWriter {
  readonly #here: World;
  readonly people: { subject: string; user: string; refreshToken: string }[] = [];
  refreshes = 0;
  /** Answers that were no new token: its own people's authorizations that are broken. */
  refused = 0;

  constructor(here: World) {
    this.#here = here;
    here.simulator.registrations.patch("token-broker", { access: "all_users" });
  }

  /** Somebody connected there long ago. */
  connect(i: number, user = `user.${i}`): void {
    const { simulator } = this.#here;
    simulator.users.put({ customer_id: 5948, id: user, password: "x", email: `${user}@firm.example` });
    const issued = simulator.issueTokens({ client_id: "token-broker", user });
    this.people.push({ subject: `u-${i}`, user, refreshToken: issued.refresh_token! });
  }

  /** It refreshes one of its people, as its own timer would. */
  async refresh(i: number): Promise<void> {
    const person = this.people[i]!;
    const answer = await fetch(`${this.#here.simulator.localOrigin}/auth/oauth2/token`, {
      method: "POST",
      body: new URLSearchParams({
        ...{ grant_type: "refresh_token", refresh_token: person.refreshToken },
        ...{ client_id: "token-broker", client_secret: "sim_secret_token-broker" },
      }),
    });
    const body = (await answer.json()) as { refresh_token?: string };
    this.refreshes += 1;
    if (answer.ok && body.refresh_token !== undefined) person.refreshToken = body.refresh_token;
    else this.refused += 1;
  }

  json(): string {
    const tokens = this.people.map(({ subject, user, refreshToken }) => ({
      ...{ subject, imanage_user: user, refresh_token: refreshToken },
    }));
    return JSON.stringify({ client_id: "token-broker", tokens }, undefined, 1);
  }
}

/** The commands of an import, on a whole broker. */
export async function importing(here: World) {
  const folder = await mkdtemp(join(tmpdir(), "import-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { broker, organisation, server } = here;
  const { configuration } = broker;
  const { name } = (await configuration.findOrganisation(organisation as never))!;
  const client = (await configuration.findClient(here.client.id as never))!;
  const target = { server: (await configuration.findServer(server))!, application: client };
  const path = `${name}/dms`;
  const asked: string[] = [];

  const cli = (...args: string[]) =>
    runCli(
      {
        explain: (error) => (error as Error).stack,
        screen: { isTTY: false, columns: 80, write: () => {} },
        confirm: async (question) => {
          asked.push(question);
          return false;
        },
        withBroker: async (use) => use({ ...broker, store: configuration, note: BY_TEST } as never),
      },
      ["import", ...args],
    );
  let files = 0;
  const file = async (text: string) => {
    files += 1;
    const at = join(folder, `export-${files}`);
    await writeFile(at, text, { mode: 0o600 });
    return at;
  };
  return {
    cli,
    file,
    target,
    asked,
    path,
    /** One of the commands that read a file. */
    async from(command: "plan" | "run" | "open", text: string, ...more: string[]) {
      return cli(command, await file(text), "--server", path, "--application", client.name, ...more);
    },
    async status() {
      return JSON.parse((await cli("status", "--server", path, "--json")).out) as Record<string, unknown>;
    },
    token: (subject: string, more: object = {}) =>
      here.client.accessToken({ server, subject: { type: "user", id: subject }, ...more }),
    /** What workers do within the next minutes. */
    async work(ms = minutes(11)) {
      here.advance(ms);
      // Of this firm alone: files share a Redis.
      const due = await broker.grantStore.dueGrants(organisation as never, 20_000);
      for (let i = 0; i < due.length; i += 6)
        await Promise.all(due.slice(i, i + 6).map((id) => broker.workerStories.refreshGrant(id)));
      return due.length;
    },
  };
}

/** What iManage knows of tokens that were used twice: each of them ended somebody's authorization. */
export const usedTwice = (here: World): number =>
  here.simulator.truth().families.filter(({ ended_because }) => ended_because === "reuse_detected").length;
