import type { WalkingClient } from "../../scripts/walk/client.ts";

export interface SeenEvent {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>> & {
    readonly subjects?: readonly { readonly type: string; readonly id: string }[];
  };
}

/** A client that follows an organisation's events by cursor, as an application does. */
export class EventFollower {
  client: WalkingClient;
  readonly organisation: string;
  readonly seen: SeenEvent[] = [];
  cursor: string | undefined;

  constructor(client: WalkingClient, organisation: string) {
    this.client = client;
    this.organisation = organisation;
  }

  /** One page behind the last. */
  async page(query: Readonly<Record<string, string>> = {}) {
    const asked = new URLSearchParams({
      organisation: this.organisation,
      ...(this.cursor !== undefined && { cursor: this.cursor }),
      ...query,
    });
    const answer = await this.client.call<{ items: SeenEvent[]; cursor: string; truncated: boolean }>(
      "GET",
      `/v1/events?${asked}`,
    );
    if (answer.status === 200) {
      this.cursor = answer.body.cursor;
      this.seen.push(...answer.body.items);
    }
    return answer;
  }

  /** What has come since the last time, shortly: the type, whom it is for, and why. */
  async news(): Promise<readonly string[]> {
    const found: SeenEvent[] = [];
    for (;;) {
      const { status, body } = await this.page();
      if (status !== 200) throw new Error(JSON.stringify(body));
      if (body.items.length === 0) return found.map(shortly);
      found.push(...body.items);
    }
  }
}

export const shortly = ({ type, data }: SeenEvent): string =>
  [type, ...(data.subjects ?? []).map(({ id }) => id).sort(), data.reason ?? data.code ?? data.target]
    .filter((word) => word !== undefined)
    .join(" ");
