import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import type { Person } from "../../scripts/walk/connect.ts";
import { receiveCallback } from "../../src/broker/authorization/receive-callback.ts";
import type { StartedAuthorization } from "../../src/broker/authorization/start-authorization.ts";
import {
  type AuthorizeForm,
  type FinishedPage,
  finishPageAuthorization,
  startAuthorizeLibraries,
} from "../../src/broker/libraries/authorize-libraries.ts";
import {
  findSignedIn,
  type SignedIn,
  startSignIn,
  withdrawLibrary,
} from "../../src/broker/libraries/library-pages.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { Broker } from "../../src/main/compose.ts";
import { signInAtImanage } from "./connecting.ts";
import { AMELIA, type World } from "./world.ts";

export const OKAFOR: Person = { subject: "u-okafor", username: "b.okafor", password: "okafor" };
export const VOSS: Person = { subject: "u-voss", username: "clara.voss", password: "voss" };

export const NOTE = { requestId: "req_test" };

/** A library admin on *Background service authorization*: the page's stories, and iManage's real sign-in, without its HTML. */
export class LibraryAdmin {
  readonly world: World;
  readonly person: Person;
  signedIn!: SignedIn;

  private constructor(world: World, person: Person) {
    this.world = world;
    this.person = person;
  }

  static async signIn(world: World, person: Person = AMELIA): Promise<LibraryAdmin> {
    const admin = new LibraryAdmin(world, person);
    await admin.#finish(await startSignIn(admin.ports, world.server));
    return admin;
  }

  get ports(): Broker["libraryPages"] {
    return this.world.broker.libraryPages;
  }

  /** @param as who signs in at iManage: himself unless said otherwise */
  async authorize(
    libraries: readonly string[],
    form: Partial<AuthorizeForm> & { readonly as?: Person; readonly before?: () => Promise<unknown> } = {},
  ): Promise<FinishedPage> {
    const { as = this.person, before, ...rest } = form;
    const started = await startAuthorizeLibraries(this.ports, this.signedIn, {
      libraries,
      email: this.signedIn.session.user.email ?? this.person.username,
      replaces: [],
      ...rest,
    });
    await before?.();
    return this.#finish(started, as);
  }

  withdraw(library: string): Promise<void> {
    return withdrawLibrary(this.ports, this.signedIn, library, NOTE);
  }

  async #finish(started: StartedAuthorization, as = this.person): Promise<FinishedPage> {
    const browser = new WalkingBrowser();
    const back = await signInAtImanage({ browser, authorize: new URL(started.redirectTo) }, as);
    const outcome = await receiveCallback(this.ports, {
      registration: back.pathname.split("/").at(-1)!,
      state: new Secret(back.searchParams.get("state")!),
      code: new Secret(back.searchParams.get("code")!),
      error: undefined,
      issuer: undefined,
      cookie: () => started.browserSecret,
    });
    if (outcome.kind !== "page") throw new Error(`back at ${outcome.kind}`);
    const finished = await finishPageAuthorization(this.ports, outcome, NOTE);
    this.signedIn = (await findSignedIn(this.ports, this.world.server, finished.sessionCookie))!;
    return finished;
  }
}
