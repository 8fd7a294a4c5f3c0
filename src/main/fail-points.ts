import type { FailPoint, FailPoints } from "../broker/refresh/ports.ts";
import type { GrantId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";

/** What a test asks of the process that it started: at this point, for the nth time, do this. */
export interface FailPointOrder {
  readonly id: number;
  readonly point: FailPoint;
  /** For this grant alone; undefined: whichever comes. */
  readonly grant: string | undefined;
  /** From 1, counted from the order on. */
  readonly nth: number;
  /** `kill`: SIGKILL. `stop`: SIGSTOP, until somebody sends SIGCONT. `wait`: that refresh alone, until it is let go. */
  readonly do: "kill" | "stop" | "wait";
}

export type ToFailPoints =
  | { readonly failPoints: "order"; readonly order: FailPointOrder }
  | { readonly failPoints: "go"; readonly id: number }
  /** Nothing but an answer: whatever was told before it has been heard by then. */
  | { readonly failPoints: "hear" }
  /** From here on no point is told, only the clock is read: `measured` answers what it showed since. */
  | { readonly failPoints: "measure" }
  | { readonly failPoints: "measured" }
  | { readonly failPoints: "forget" };

export type FromFailPoints =
  | { readonly failPoints: "noted" }
  /** Milliseconds of this process' own clock, point by point, in their order. */
  | {
      readonly failPoints: "clocked";
      readonly clocked: readonly (readonly [FailPoint, GrantId, Milliseconds])[];
    }
  /** `order`: the one that is carried out as soon as this has been said. */
  | {
      readonly failPoints: "reached";
      readonly point: FailPoint;
      readonly grant: string;
      readonly order: number | undefined;
    };

/**
 * Fail points that the parent process commands over the channel of `fork`. Undefined where there is no such parent.
 * Every point that is reached is told, so that a test waits for it instead of sleeping.
 */
export function failPointsOverIpc(process: NodeJS.Process): FailPoints | undefined {
  if (process.send === undefined) return undefined;
  const tell = (message: FromFailPoints) =>
    new Promise<void>((resolve) => process.send!(message, () => resolve()));
  const orders = new Map<number, { readonly order: FailPointOrder; left: number }>();
  const waiting = new Map<number, () => void>();
  let clocked: [FailPoint, GrantId, Milliseconds][] | undefined;
  const letGo = (id: number) => {
    waiting.get(id)?.();
    waiting.delete(id);
  };

  process.on("message", (message: ToFailPoints) => {
    if (message.failPoints === "order") {
      orders.set(message.order.id, { order: message.order, left: message.order.nth });
    } else if (message.failPoints === "go") {
      letGo(message.id);
    } else if (message.failPoints === "forget") {
      orders.clear();
      for (const id of [...waiting.keys()]) letGo(id);
    } else if (message.failPoints === "measure") {
      clocked = [];
    } else if (message.failPoints === "measured") {
      void tell({ failPoints: "clocked", clocked: clocked ?? [] });
      clocked = undefined;
    } else if (message.failPoints !== "hear") return;
    void tell({ failPoints: "noted" });
  });
  // Waiting for orders keeps no process alive that has nothing else to do.
  process.channel?.unref();

  function taken(point: FailPoint, grant: GrantId): FailPointOrder | undefined {
    for (const [id, entry] of orders) {
      const { order } = entry;
      if (order.point !== point || (order.grant !== undefined && order.grant !== grant)) continue;
      entry.left -= 1;
      if (entry.left > 0) continue;
      orders.delete(id);
      return order;
    }
    return undefined;
  }

  return {
    async reach(point, grant) {
      if (clocked !== undefined) return void clocked.push([point, grant, performance.now()]);
      const order = taken(point, grant);
      const released =
        order?.do === "wait"
          ? new Promise<void>((resolve) => waiting.set(order.id, resolve))
          : Promise.resolve();
      await tell({ failPoints: "reached", point, grant, order: order?.id });
      if (order?.do === "kill") process.kill(process.pid, "SIGKILL");
      if (order?.do === "stop") process.kill(process.pid, "SIGSTOP");
      await released;
    },
  };
}
