import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type FaultProxy, faultProxyForThisTest } from "./fault-proxy.ts";

/** Answers every piece with itself, in capitals. */
async function echoServer() {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (piece) => socket.write(piece.toString().toUpperCase()));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { host: "127.0.0.1", port: (server.address() as { port: number }).port, sockets };
}

interface Caller {
  readonly socket: Socket;
  readonly heard: () => string;
  /** Resolves when so much was heard. */
  hears(text: string): Promise<void>;
  /** How it ended: `closed`, or an error's code. */
  readonly ended: Promise<string>;
}

function call(port: number): Caller {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let heard = "";
  const waiting = new Set<() => void>();
  socket.on("data", (piece) => {
    heard += piece;
    for (const look of waiting) look();
  });
  const ended = new Promise<string>((resolve) => {
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"));
    socket.once("close", () => resolve("closed"));
  });
  return {
    socket,
    heard: () => heard,
    hears: (text) =>
      new Promise((resolve) => {
        const look = () => {
          if (heard !== text) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    ended,
  };
}

describe("a fault proxy", () => {
  let proxy: FaultProxy;
  let server: Awaited<ReturnType<typeof echoServer>>;
  beforeEach(async () => {
    server = await echoServer();
    proxy = await faultProxyForThisTest(server);
  });

  const dialog = async (caller: Caller, says: string) => {
    const before = caller.heard();
    caller.socket.write(says);
    await caller.hears(before + says.toUpperCase());
  };

  it("passes everything on, counts it, and tells of it", async () => {
    const connected = proxy.waitFor("connection");
    const answered = proxy.waitFor("bytes", ({ direction }) => direction === "to-client");
    const caller = call(proxy.port);
    await dialog(caller, "hello");
    expect((await connected).connection.number).toBe(1);
    expect(await answered).toMatchObject({ bytes: 5, direction: "to-client" });
    expect(proxy.bytes).toEqual({ "to-server": 5, "to-client": 5, lost: 0 });
    caller.socket.end();
    expect(await caller.ended).toBe("closed");
    await proxy.until(() => proxy.connections.every(({ open }) => !open));
  });

  it("delays one direction, in order, and what was held goes at once when it passes again", async () => {
    proxy.set({ delayMs: 30 }, "to-client");
    const caller = call(proxy.port);
    const startedAt = performance.now();
    await dialog(caller, "late");
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(29);

    proxy.set({ delayMs: 60_000 }, "to-client");
    caller.socket.write("one");
    await proxy.waitFor("bytes", ({ direction }) => direction === "to-server");
    proxy.set("pass");
    await caller.hears("LATEONE");
  });

  it("drops silently: both ends believe in the connection, and one more is healthy", async () => {
    const caller = call(proxy.port);
    await dialog(caller, "a");
    proxy.connections[0]!.set("drop", "to-client");
    caller.socket.write("bcd");
    await proxy.until(() => proxy.bytes.lost === 3);
    expect(caller.heard()).toBe("A");
    server.sockets[0]!.end();
    await dialog(call(proxy.port), "b");
    expect(caller.socket.destroyed).toBe(false);
    expect(caller.socket.readableEnded).toBe(false);
  });

  it("cuts after so many bytes", async () => {
    proxy.set({ cutAfterBytes: 4 }, "to-client");
    const cut = proxy.waitFor("cut");
    const caller = call(proxy.port);
    caller.socket.write("abcdefgh");
    expect(await caller.ended).toBe("closed");
    expect(caller.heard()).toBe("ABCD");
    expect((await cut).bytes).toBe(4);
    expect(proxy.bytes).toEqual({ "to-server": 8, "to-client": 4, lost: 4 });
  });

  it("resets", async () => {
    const caller = call(proxy.port);
    await dialog(caller, "a");
    proxy.reset();
    expect(await caller.ended).toBe("ECONNRESET");
    expect(proxy.connections[0]!.open).toBe(false);
  });

  it("refuses new connections and keeps those there are; accepts again on the same port", async () => {
    const early = call(proxy.port);
    await dialog(early, "a");
    await proxy.refuse();
    expect(await call(proxy.port).ended).toBe("ECONNREFUSED");
    await dialog(early, "b");
    const { port } = proxy;
    await proxy.accept();
    expect(proxy.port).toBe(port);
    await dialog(call(proxy.port), "c");
  });

  it("swallows every nth answer and cuts there", async () => {
    proxy.set({ swallow: 3 }, "to-client");
    const caller = call(proxy.port);
    await dialog(caller, "a");
    await dialog(caller, "b");
    caller.socket.write("c");
    expect(await caller.ended).toBe("ECONNRESET");
    expect(caller.heard()).toBe("AB");
    // Counted over all connections.
    const next = call(proxy.port);
    await dialog(next, "d");
    await dialog(next, "e");
    next.socket.write("f");
    await next.ended;
    expect([proxy.swallowed, proxy.bytes.lost]).toEqual([2, 2]);
  });

  it("swallows what a function names, and leaves the connection silent or with a hole", async () => {
    proxy.set({ swallow: (nth) => nth === 2, andThen: "go-on" }, "to-client");
    const caller = call(proxy.port);
    await dialog(caller, "a");
    const swallowed = proxy.waitFor("swallowed");
    caller.socket.write("b");
    await swallowed;
    caller.socket.write("c");
    await caller.hears("AC");

    proxy.set({ swallow: 1, andThen: "silence" }, "to-client");
    caller.socket.write("d");
    await proxy.until(() => proxy.bytes.lost === 2);
    caller.socket.write("e");
    await proxy.until(() => proxy.bytes.lost === 3);
    expect([caller.heard(), proxy.swallowed]).toEqual(["AC", 2]);
  });

  it("freezes and thaws without losing anything", async () => {
    const caller = call(proxy.port);
    await dialog(caller, "a");
    proxy.set("freeze");
    caller.socket.write("b");
    await dialog(await thawedNeighbour(), "x");
    expect(server.sockets).toHaveLength(2);
    expect(caller.heard()).toBe("A");
    proxy.set("pass");
    await caller.hears("AB");
    expect(proxy.bytes.lost).toBe(0);
  });

  /** A whole exchange beside what is frozen: time enough for it to have arrived, had it not been. */
  async function thawedNeighbour(): Promise<Caller> {
    const connected = proxy.waitFor("connection");
    const neighbour = call(proxy.port);
    (await connected).connection.set("pass");
    return neighbour;
  }

  it("reaches nobody: the caller learns it, and closing waits for every connection", async () => {
    const nowhere = await faultProxyForThisTest(() => ({ host: "127.0.0.1", port: 1 }));
    expect(await call(nowhere.port).ended).toBe("ECONNRESET");
    const caller = call(proxy.port);
    await dialog(caller, "a");
    await proxy.close();
    expect(proxy.connections.every(({ open }) => !open)).toBe(true);
    expect(["closed", "ECONNRESET"]).toContain(await caller.ended);
    expect(await call(proxy.port).ended).toBe("ECONNREFUSED");
  });
});
