import { describe, expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { signInOperator } from "../kit/operators.ts";
import { opsWorld } from "../kit/ops.ts";

const GRANT = "grt_abcdefghjk01234567890123456789012345";

describe("T37: the ops listener behind the operators' sign-in", () => {
  it("T37 an operator signs in by the firm's provider, and sees the queues, the metrics and every check's reason", async () => {
    const { ops, queue, setUp } = await opsWorld();
    await queue.add("refresh-grant", { id: GRANT });
    expect(await new WalkingBrowser().get(`${ops}/queues/`)).toMatchObject({
      status: 303,
      location: `${ops}/operators`,
    });
    const { browser, landed } = await signInOperator({ base: ops }, setUp.provider, "olga");
    expect(landed.body).toContain("olga of the firm");
    expect((await browser.get(`${ops}/queues/`)).body).toContain('id="__UI_CONFIG__"');
    const jobs = await browser.get(`${ops}/queues/api/queues?activeQueue=${queue.name}`);
    expect(jobs.body).toContain(GRANT);
    expect((await browser.get(`${ops}/metrics`)).body).toBe("up 1\n");
  });
});
