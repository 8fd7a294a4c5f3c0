import { connect, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** Where bytes go: requests to the server, answers to the client. */
export type Direction = "to-server" | "to-client";

/** What befalls the bytes of one direction. Changed at any time; what is on its way keeps its order. */
export type Mode =
  | "pass"
  /** Taken and forgotten, the end of the stream too: both ends believe in a connection that is dead. */
  | "drop"
  /** Nothing is taken; nothing is lost either, and goes on with the next mode. */
  | "freeze"
  | { readonly delayMs: number }
  /** So many more bytes, then both ends are closed. */
  | { readonly cutAfterBytes: number }
  /**
   * Loses pieces (what arrived at once: for a Redis or HTTP that answers one at a time, one answer): every nth, or those
   * that the function names, counted from 1 over all connections in this mode. A stream with a hole in it does not
   * exist, so then the connection is cut, or silent from there on; `go-on` leaves the hole, for who can bear it.
   */
  | {
      readonly swallow: number | ((nth: number) => boolean);
      readonly andThen?: "cut" | "silence" | "go-on";
    };

export interface ProxyEvent {
  readonly kind: "connection" | "bytes" | "dropped" | "swallowed" | "cut" | "closed";
  readonly connection: ProxiedConnection;
  readonly direction?: Direction;
  readonly bytes?: number;
  /** Of `bytes`: what was delivered. */
  readonly piece?: Buffer;
}

export interface Counts {
  /** Delivered. */
  readonly "to-server": number;
  readonly "to-client": number;
  /** Taken and not delivered. */
  readonly lost: number;
}

export interface ProxiedConnection {
  readonly number: number;
  readonly open: boolean;
  readonly bytes: Counts;
  /** For this connection alone, in place of the proxy's mode. */
  set(mode: Mode, direction?: Direction): void;
  /** RST to both ends: what is on its way is lost. */
  reset(): void;
}

/** Stands between two parties on loopback, and does to their bytes what networks do. */
export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  /** All there were, by number. */
  readonly connections: readonly ProxiedConnection[];
  readonly bytes: Counts;
  /** How many pieces were swallowed. */
  readonly swallowed: number;
  /** For every connection, those to come included. */
  set(mode: Mode, direction?: Direction): void;
  /** RST to both ends of every connection. */
  reset(): void;
  /** New connections are refused, as when nobody listens; those there are go on. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  /** The next event of this kind that fits. */
  waitFor(kind: ProxyEvent["kind"], fits?: (event: ProxyEvent) => unknown): Promise<ProxyEvent>;
  /** Asks now, and again after every event. */
  until(holds: () => unknown): Promise<void>;
  /** Ends every connection and stops listening. */
  close(): Promise<void>;
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

const HOST = "127.0.0.1";

/** @param to where to; a function is asked at each connection, for who is started after the proxy. */
export async function startFaultProxy(to: Target | (() => Target)): Promise<FaultProxy> {
  const proxy = new Middleman(typeof to === "function" ? to : () => to);
  await proxy.accept();
  return proxy;
}

/** The same, closed when the running test has finished. */
export async function faultProxyForThisTest(to: Target | (() => Target)): Promise<FaultProxy> {
  const proxy = await startFaultProxy(to);
  onTestFinished(() => proxy.close());
  return proxy;
}

class Middleman implements FaultProxy {
  readonly host = HOST;
  port = 0;
  readonly connections: Connection[] = [];
  readonly modes: Record<Direction, Rule> = { "to-server": new Rule("pass"), "to-client": new Rule("pass") };
  swallowed = 0;
  readonly #target: () => Target;
  readonly #watching = new Set<(event: ProxyEvent) => void>();
  #server: Server | undefined;
  #closing = false;

  constructor(target: () => Target) {
    this.#target = target;
  }

  get bytes(): Counts {
    const sum = (which: keyof Counts) => this.connections.reduce((all, { bytes }) => all + bytes[which], 0);
    return { "to-server": sum("to-server"), "to-client": sum("to-client"), lost: sum("lost") };
  }

  set(mode: Mode, direction?: Direction): void {
    for (const which of directions(direction)) {
      const rule = new Rule(mode);
      this.modes[which] = rule;
      for (const connection of this.connections) connection.pipes[which].follow(rule);
    }
  }

  reset(): void {
    for (const connection of this.connections) connection.reset();
  }

  async accept(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer({ allowHalfOpen: true }, (client) => {
      // Accepted before the end and told after it: it belongs to nobody any more.
      if (this.#closing) return void client.destroy();
      const { host, port } = this.#target();
      const upstream = connect({ host, port, allowHalfOpen: true });
      const connection = new Connection(this, this.connections.length + 1, client, upstream);
      this.connections.push(connection);
      this.tell({ kind: "connection", connection });
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.port, HOST, resolve);
    });
    this.#server = server;
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server has an address");
    this.port = address.port;
  }

  async refuse(): Promise<void> {
    // Resolves before the connections there are have ended: they are not ours to end.
    this.#server?.close();
    this.#server = undefined;
  }

  waitFor(kind: ProxyEvent["kind"], fits: (event: ProxyEvent) => unknown = () => true): Promise<ProxyEvent> {
    return new Promise((resolve) => {
      const watch = (event: ProxyEvent) => {
        if (event.kind !== kind || !fits(event)) return;
        this.#watching.delete(watch);
        resolve(event);
      };
      this.#watching.add(watch);
    });
  }

  until(holds: () => unknown): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => {
      const watch = () => {
        if (!holds()) return;
        this.#watching.delete(watch);
        resolve();
      };
      this.#watching.add(watch);
    });
  }

  tell(event: ProxyEvent): void {
    if (event.kind === "swallowed") this.swallowed += 1;
    for (const watch of [...this.#watching]) watch(event);
  }

  async close(): Promise<void> {
    this.#closing = true;
    const server = this.#server;
    this.#server = undefined;
    const closed = server && new Promise((resolve) => server.close(resolve));
    for (const connection of this.connections) connection.close();
    await closed;
    await Promise.all(this.connections.map(({ ended }) => ended));
  }
}

/** A mode, with what it counts; one for all connections that follow it. */
class Rule {
  readonly mode: Mode;
  #pieces = 0;

  constructor(mode: Mode) {
    this.mode = mode;
  }

  swallows(): boolean {
    if (typeof this.mode !== "object" || !("swallow" in this.mode)) return false;
    const { swallow } = this.mode;
    this.#pieces += 1;
    return typeof swallow === "number" ? this.#pieces % swallow === 0 : swallow(this.#pieces);
  }
}

class Connection implements ProxiedConnection {
  readonly number: number;
  readonly pipes: Record<Direction, Pipe>;
  /** Resolves when both sockets are closed. */
  readonly ended: Promise<unknown>;
  readonly #sockets: readonly [Socket, Socket];
  readonly proxy: Middleman;

  constructor(proxy: Middleman, number: number, client: Socket, upstream: Socket) {
    this.proxy = proxy;
    this.number = number;
    this.#sockets = [client, upstream];
    this.pipes = {
      "to-server": new Pipe(this, "to-server", client, upstream),
      "to-client": new Pipe(this, "to-client", upstream, client),
    };
    for (const socket of this.#sockets) socket.setNoDelay(true);
    this.ended = Promise.all(
      this.#sockets.map((socket) => new Promise<void>((resolve) => socket.once("close", () => resolve()))),
    ).then(() => this.proxy.tell({ kind: "closed", connection: this }));
  }

  get open(): boolean {
    return this.#sockets.some(({ destroyed }) => !destroyed);
  }

  get bytes(): Counts {
    const { "to-server": up, "to-client": down } = this.pipes;
    return { "to-server": up.delivered, "to-client": down.delivered, lost: up.lost + down.lost };
  }

  set(mode: Mode, direction?: Direction): void {
    for (const which of directions(direction)) this.pipes[which].follow(new Rule(mode));
  }

  reset(): void {
    for (const socket of this.#sockets) resetSocket(socket);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  // One that is being shut down cannot be reset: libuv refuses, and Node then never says that it is closed.
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** One direction of one connection. */
class Pipe {
  delivered = 0;
  lost = 0;
  readonly #connection: Connection;
  readonly #direction: Direction;
  readonly #from: Socket;
  readonly #to: Socket;
  #rule: Rule;
  /** What is left of `cutAfterBytes`. */
  #cutIn = Number.POSITIVE_INFINITY;
  /** Held back, oldest first; `undefined` is the end of the stream. */
  readonly #queue: { readonly piece: Buffer | undefined; dueAt: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: Connection, direction: Direction, from: Socket, to: Socket) {
    this.#connection = connection;
    this.#direction = direction;
    this.#from = from;
    this.#to = to;
    this.#rule = connection.proxy.modes[direction];
    this.follow(this.#rule);
    from.on("data", (piece: Buffer) => this.#take(piece));
    from.on("end", () => this.#take(undefined));
    from.on("error", () => {
      // Refused or reset: the other side learns it, unless nothing may get through.
      if (this.#rule.mode !== "drop" && this.#rule.mode !== "freeze") resetSocket(to);
    });
    from.on("close", () => clearTimeout(this.#timer));
  }

  follow(rule: Rule): void {
    this.#rule = rule;
    const { mode } = rule;
    this.#cutIn =
      typeof mode === "object" && "cutAfterBytes" in mode ? mode.cutAfterBytes : Number.POSITIVE_INFINITY;
    if (mode === "freeze") {
      clearTimeout(this.#timer);
      this.#from.pause();
      return;
    }
    if (mode === "drop") {
      for (const { piece } of this.#queue.splice(0)) this.lost += piece?.length ?? 0;
    }
    for (const held of this.#queue) held.dueAt = Math.min(held.dueAt, performance.now());
    this.#from.resume();
    this.#flush();
  }

  #take(piece: Buffer | undefined): void {
    const { mode } = this.#rule;
    if (mode === "drop") {
      this.lost += piece?.length ?? 0;
      this.#tell("dropped", piece?.length ?? 0);
      return;
    }
    if (piece !== undefined && this.#rule.swallows()) {
      this.#swallow(piece, (mode as { readonly andThen?: string }).andThen ?? "cut");
      return;
    }
    const delayMs = typeof mode === "object" && "delayMs" in mode ? mode.delayMs : 0;
    this.#queue.push({ piece, dueAt: performance.now() + delayMs });
    if (mode !== "freeze") this.#flush();
  }

  #swallow(piece: Buffer, then: string): void {
    this.lost += piece.length;
    this.#tell("swallowed", piece.length);
    if (then === "cut") this.#connection.reset();
    if (then === "silence") this.follow(new Rule("drop"));
  }

  #flush(): void {
    clearTimeout(this.#timer);
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      const leftMs = head.dueAt - performance.now();
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.#flush(), leftMs);
        return;
      }
      this.#queue.shift();
      this.#deliver(head.piece);
    }
  }

  #deliver(piece: Buffer | undefined): void {
    if (this.#to.destroyed) return;
    if (piece === undefined) {
      this.#to.end();
      return;
    }
    const part = piece.subarray(0, Math.min(piece.length, this.#cutIn));
    this.#cutIn -= part.length;
    this.delivered += part.length;
    this.lost += piece.length - part.length;
    if (this.#cutIn <= 0) {
      this.#to.end(part);
      this.#to.once("finish", () => this.#connection.close());
      this.#tell("cut", part.length);
      return;
    }
    if (!this.#to.write(part)) {
      this.#from.pause();
      this.#to.once("drain", () => {
        if (this.#rule.mode !== "freeze") this.#from.resume();
      });
    }
    this.#tell("bytes", part.length, part);
  }

  #tell(kind: ProxyEvent["kind"], bytes: number, piece?: Buffer): void {
    this.#connection.proxy.tell({
      kind,
      connection: this.#connection,
      direction: this.#direction,
      bytes,
      ...(piece && { piece }),
    });
  }
}

const directions = (one: Direction | undefined): readonly Direction[] =>
  one === undefined ? ["to-server", "to-client"] : [one];
