import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { app } from "./app.ts";
import { AuthorizationCodes } from "./authorization-codes.ts";
import { BrowserSessions } from "./browser-sessions.ts";
import { Concurrency } from "./concurrency.ts";
import type { Context } from "./context.ts";
import { controlRouter } from "./control.ts";
import { Events } from "./events.ts";
import { Faults } from "./faults.ts";
import { Pauses } from "./pauses.ts";
import { RateLimit } from "./rate-limit.ts";
import { RequestLog } from "./request-log.ts";
import { Shelves } from "./shelf.ts";
import { type Simulator, simulatorHandle } from "./simulator-handle.ts";
import { newState } from "./state.ts";
import { readStateFile, StateFile } from "./state-file.ts";
import { TokenFamilies } from "./token-families.ts";
import type { WorldInput } from "./world.ts";

export interface SimulatorOptions {
  host?: string;
  /** 0, the default, takes a free one. */
  port?: number;
  /** How clients reach it, when that is not `http://host:port`: links and `iss` carry it. */
  publicOrigin?: string;
  /** Where the state is kept. If the file is there already its world counts, and `world` does not. */
  stateFile?: string;
  now?: () => number;
  world?: WorldInput;
  /** Hears one line per request, without secrets. */
  log?: (line: string) => void;
}

/** Starts one iManage Work simulator. Any number may run in one process. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const loaded = options.stateFile === undefined ? undefined : readStateFile(options.stateFile);
  const state = loaded ?? newState(options.world);
  const file = options.stateFile === undefined ? undefined : new StateFile(options.stateFile, state);
  const realNow = options.now ?? Date.now;
  const now = () => realNow() + state.offset_ms;

  const endings: (() => void)[] = [];
  const context: Context = {
    state,
    now,
    families: new TokenFamilies(state.families, state.switches, now),
    codes: new AuthorizationCodes(state.codes, now),
    sessions: new BrowserSessions(state.sessions, now),
    faults: new Faults(state.faults),
    pauses: new Pauses(),
    events: new Events(now),
    requests: new RequestLog(options.log),
    concurrency: new Concurrency(),
    rateLimit: new RateLimit(state.switches, now),
    shelves: new Shelves(),
    save: () => file?.save() ?? Promise.resolve(),
    onClose: (end) => void endings.push(end),
  };

  const server = createServer();
  const host = options.host ?? "127.0.0.1";
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const localOrigin = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const simulator = simulatorHandle(context, {
    localOrigin,
    origin: options.publicOrigin ?? localOrigin,
    close: async () => {
      for (const end of endings) end();
      context.pauses.close();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await context.save();
    },
  });
  server.on("request", app(context, controlRouter(context, simulator), options.publicOrigin));
  await context.save();
  return simulator;
}

export type { Activity, ActivityOptions } from "./activities.ts";
export type { Counts } from "./counts.ts";
export { defaultWorld } from "./default-world.ts";
export type { DocumentChange } from "./edit-documents.ts";
export type { Edit, EditMade } from "./edits.ts";
export type { SimulatorEvent } from "./events.ts";
export type { Fault } from "./faults.ts";
export type { RegistrationInput } from "./registrations.ts";
export type { FamilyTruth, Simulator, Truth } from "./simulator-handle.ts";
export type { Switches } from "./switches.ts";
export { fingerprint } from "./tokens.ts";
export type { WorldInput } from "./world.ts";
