import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { connect, type Person } from "../../scripts/walk/connect.ts";
import { type BrokerProcess, brokerProcess, brokerProcesses, WITH_FAIL_POINTS } from "./broker-process.ts";
import { expireLease, expireSoon } from "./expire.ts";
import { checkInvariants, type Findings, type GrantFinding } from "./invariants.ts";
import { type Kill, RandomKiller } from "./random-killer.ts";
import type { Seeded } from "./seeded.ts";
import { RETURN_URL, type World } from "./world.ts";

export interface KillRound {
  readonly kill: Kill;
  /** How the grant stood when somebody else had asked for it again. */
  readonly finding: GrantFinding;
}

export interface KillReport {
  readonly rounds: readonly KillRound[];
  /** Every grant that was found in another state than healthy, at whatever kill. */
  readonly losses: readonly GrantFinding[];
  /** At the end. */
  readonly findings: Findings;
  /** Requests beside those that led to a kill. */
  readonly answered: number;
}

export interface KillRoundsOptions {
  readonly kills: number;
  readonly seeded: Seeded;
  /** Broker processes that take turns in dying; each has a grant of its own to die over. */
  readonly lanes?: number;
}

/**
 * Broker processes are killed at random moments of a refresh, one after the other in each lane, while clients go on
 * asking all of them; after each kill somebody else takes over, and iManage's truth says what became of the grant. A
 * grant that was lost is authorised again, so that the next round begins with a good one.
 */
export async function killRounds(
  here: World,
  { kills, seeded, lanes = 3 }: KillRoundsOptions,
): Promise<KillReport> {
  const processes = await brokerProcesses(here, lanes, "http", {
    ...WITH_FAIL_POINTS,
    ...(await compileCache(here)),
  });
  const killer = new RandomKiller(here, seeded);
  const people = await Promise.all(Array.from({ length: lanes }, (_, i) => newPerson(here, i)));
  const rounds: KillRound[] = [];
  const losses: GrantFinding[] = [];
  let begun = 0;

  const load = keepAsking(here, processes, people, seeded);
  await Promise.all(
    processes.map(async (victim, i) => {
      const lane = new Lane(here, killer, victim, people[i]!, losses);
      while (begun < kills) {
        begun += 1;
        rounds.push(await lane.round());
        await victim.restart();
      }
    }),
  );
  const answered = await load.end();
  return { rounds, losses, findings: await checkInvariants(here), answered };
}

/** One process that dies again and again, over one grant. */
class Lane {
  readonly #here: World;
  readonly #killer: RandomKiller;
  readonly #victim: BrokerProcess;
  readonly #person: Person & { readonly grant: string };
  readonly #losses: GrantFinding[];
  /** Length of the journal when the grant was authorised last. */
  #authorisedAt = 0;

  constructor(
    here: World,
    killer: RandomKiller,
    victim: BrokerProcess,
    person: Person & { readonly grant: string },
    losses: GrantFinding[],
  ) {
    this.#here = here;
    this.#killer = killer;
    this.#victim = victim;
    this.#person = person;
    this.#losses = losses;
  }

  async round(): Promise<KillRound> {
    const { grant, username } = this.#person;
    const kill = await this.#killer.arrange(this.#victim, { grant, user: username });
    const client = this.#here.clientOf(this.#victim.base);
    for (let tries = 1; this.#victim.running; tries++) {
      if (tries > 20) throw new Error(`${kill.told}: never came about`);
      // Somebody else held the lease, and may have died over it.
      if (tries > 1) await this.#heal();
      await expireSoon(this.#here, grant);
      const answers = await Promise.all(
        Array.from({ length: 3 }, () =>
          client.accessToken(askFor(this.#here, this.#person)).then(
            ({ status }) => status,
            () => "cut" as const,
          ),
        ),
      );
      if (answers.includes("cut")) break;
    }
    await kill.done;
    return { kill, finding: await this.#heal(kill.told) };
  }

  /** Another process takes over, once the lease has ended; what is lost is authorised again. */
  async #heal(told?: string): Promise<GrantFinding> {
    const { grant } = this.#person;
    await expireLease(this.#here, grant);
    const { status, body } = await this.#here.client.accessToken(askFor(this.#here, this.#person));
    await this.#killer.settled();
    const journal = this.#killer.since(this.#authorisedAt, grant).filter(({ costs }) => costs !== "never");
    const { grants } = await checkInvariants(this.#here, { journal });
    const finding = grants.find((one) => one.grant === grant)!;
    if (finding.verdict === "healthy") {
      if (told !== undefined) {
        expect({ status, warning: body.warning }, told).toEqual({ status: 200, warning: undefined });
      }
    } else {
      this.#losses.push(finding);
      this.#authorisedAt = this.#killer.journal.length;
      await authorise(this.#here, this.#person);
    }
    return finding;
  }
}

/** Clients that are content with what is there, at every process, for every grant; one that dies cuts them off. */
function keepAsking(
  here: World,
  processes: readonly BrokerProcess[],
  people: readonly Person[],
  seeded: Seeded,
): { end(): Promise<number> } {
  let going = true;
  let answered = 0;
  const ask = async () => {
    while (going) {
      const at = here.clientOf(seeded.pick(processes).base);
      const answer = await at
        .accessToken({ ...askFor(here, seeded.pick(people)), min_ttl: 1 })
        .catch(() => undefined);
      if (answer?.status === 200) answered += 1;
    }
  };
  const asking = ask();

  return {
    async end() {
      going = false;
      await asking;
      return answered;
    },
  };
}

const askFor = (here: World, person: Person) => ({
  server: here.server,
  subject: { type: "user", id: person.subject },
});

async function newPerson(here: World, number: number): Promise<Person & { readonly grant: string }> {
  const username = `lane.${number}`;
  here.simulator.users.put({ customer_id: 5948, id: username, name: `Lane ${number}`, password: "lane" });
  here.simulator.registrations.patch("token-broker", { access: "all_users" });
  const person = { subject: `u-lane-${number}`, username, password: "lane" };
  return { ...person, grant: await authorise(here, person) };
}

async function authorise(here: World, person: Person): Promise<string> {
  const connected = await connect(here.client, { server: here.server, returnUrl: RETURN_URL }, person);
  expect(connected).toMatchObject({ status: 200, body: { state: "connected" } });
  return connected.body.grant!;
}

/** Compiled code, kept over restarts: a third off what a start takes. Only a process that ends in peace writes it. */
async function compileCache(here: World): Promise<{ readonly NODE_COMPILE_CACHE: string }> {
  const folder = await mkdtemp(join(tmpdir(), "broker-compile-cache-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const environment = { NODE_COMPILE_CACHE: folder };
  const first = await brokerProcess(here, "http", environment);
  first.signal("SIGTERM");
  await first.exited;
  return environment;
}
