import { expect } from "vitest";
import { connect, type Person } from "../../scripts/walk/connect.ts";
import type { GrantId } from "../../src/domain/id.ts";
import { grantKey } from "../../src/store/keys.ts";
import { type BrokerProcess, brokerProcesses, WITH_FAIL_POINTS } from "./broker-process.ts";
import { expireLease, expireSoon } from "./expire.ts";
import { checkInvariants, type Findings, type GrantFinding } from "./invariants.ts";
import { type Cost, type Kill, RandomKiller } from "./random-killer.ts";
import type { Seeded } from "./seeded.ts";
import { RETURN_URL, type World } from "./world.ts";

export interface KillRound {
  readonly kill: Kill;
  /** What the moment costs on a strict server. */
  readonly costs: Cost;
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
  const processes = await brokerProcesses(here, lanes, "http", WITH_FAIL_POINTS);
  const killer = new RandomKiller(here, seeded);
  const people = await Promise.all(Array.from({ length: lanes }, (_, i) => newPerson(here, i)));
  const rounds: KillRound[] = [];
  const losses: GrantFinding[] = [];
  const up = new Set(processes);
  const around = people.map((person, i) => new Lane({ here, killer, up, losses }, processes[i]!, person));
  let begun = 0;

  const load = keepAsking(here, processes, people, seeded);
  await Promise.all(
    around.map(async (lane, i) => {
      const victim = processes[i]!;
      while (begun < kills) {
        begun += 1;
        rounds.push(await lane.round());
        up.delete(victim);
        await victim.restart();
        up.add(victim);
      }
    }),
  );
  const answered = await load.end();
  // Somebody may have died over one grant after that grant's own last round.
  for (const lane of around) await lane.heal();
  return { rounds, losses, findings: await checkInvariants(here), answered };
}

interface Surroundings {
  readonly here: World;
  readonly killer: RandomKiller;
  /** Processes that are not just being started again: dead, or able to hear. */
  readonly up: ReadonlySet<BrokerProcess>;
  readonly losses: GrantFinding[];
}

/** One process that dies again and again, over one grant. */
class Lane {
  readonly #around: Surroundings;
  readonly #victim: BrokerProcess;
  readonly #person: Person & { readonly grant: string };
  /** Length of the journal when the grant was authorised last. */
  #authorisedAt = 0;

  constructor(around: Surroundings, victim: BrokerProcess, person: Person & { readonly grant: string }) {
    this.#around = around;
    this.#victim = victim;
    this.#person = person;
  }

  async round(): Promise<KillRound> {
    const { here, killer } = this.#around;
    const { grant, username } = this.#person;
    const kill = await killer.arrange(this.#victim, { grant, user: username });
    const client = here.clientOf(this.#victim.base);
    for (let tries = 1; this.#victim.running; tries++) {
      if (tries > 20) throw new Error(`${kill.told}: never came about`);
      // Somebody else held the lease, and may have died over it.
      if (tries > 1) await this.heal();
      await expireSoon(here, grant);
      const answers = await Promise.all(
        Array.from({ length: 3 }, () =>
          client.accessToken(askFor(here, this.#person)).then(
            ({ status }) => status,
            () => "cut" as const,
          ),
        ),
      );
      if (answers.includes("cut")) break;
    }
    const costs = await kill.done;
    return { kill, costs, finding: await this.heal(kill.told) };
  }

  /**
   * Another process takes over, once the lease has ended; what is lost is authorised again. Others die meanwhile, perhaps
   * over this very grant, and whoever waited for them was refused: a grant that can still heal is given the time to.
   */
  async heal(told = "at the end"): Promise<GrantFinding> {
    const { here, killer, losses } = this.#around;
    for (let tries = 1; ; tries++) {
      await this.#expireLeaseOfTheDead();
      const { status, body } = await here.client.accessToken(askFor(here, this.#person));
      const finding = await this.#judge();
      const outcome = { status, warning: body.warning };
      const whole = finding.verdict === "healthy" && outcome.status === 200 && outcome.warning === undefined;
      const canHeal = finding.verdict === "healthy" || finding.verdict === "recoverable";
      if (canHeal && !whole && tries < 10) continue;
      if (finding.verdict === "healthy") {
        expect(outcome, told).toEqual({ status: 200, warning: undefined });
      } else {
        losses.push(finding);
        this.#authorisedAt = killer.journal.length;
        await authorise(here, this.#person);
      }
      return finding;
    }
  }

  /** What became of the grant, judged at a moment at which nobody refreshes it: between answer and commit all look lost. */
  async #judge(): Promise<GrantFinding> {
    const { here, killer } = this.#around;
    const { grant } = this.#person;
    for (;;) {
      const attempts = await this.#read("att");
      await this.#untilNobodyRefreshes();
      await killer.settled();
      const journal = killer.since(this.#authorisedAt, grant).filter(({ costs }) => costs !== "never");
      const { grants } = await checkInvariants(here, { journal });
      if ((await this.#read("att")) === attempts) return grants.find((one) => one.grant === grant)!;
    }
  }

  /** Never of the living: on a strict server whoever took over from them would have the whole family revoked. */
  async #expireLeaseOfTheDead(): Promise<void> {
    // Read first: if one that lives has taken it, that one is seen to be refreshing afterwards.
    const lease = await this.#read("lease");
    await this.#untilNobodyRefreshes();
    await expireLease(this.#around.here, this.#person.grant, { lease });
  }

  async #untilNobodyRefreshes(): Promise<void> {
    const { here, up } = this.#around;
    const { grant } = this.#person;
    for (;;) {
      const living = [...up].filter(({ running }) => running);
      await Promise.all(living.map(({ failPoints }) => failPoints.caughtUp()));
      const busy = living.filter(({ running, failPoints }) => running && failPoints.inFlight().has(grant));
      if (busy.length === 0) break;
      // One that dies has ended too.
      await Promise.all(busy.map(({ failPoints }) => failPoints.next("ended", grant).catch(() => {})));
    }
    await here.broker.refresher.settled();
  }

  #read(field: "att" | "lease"): Promise<string | null> {
    const { fast } = this.#around.here.broker.stores;
    return fast.call((redis) => redis.hget(grantKey(this.#person.grant as GrantId), field));
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
