import { expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import { AMELIA, world } from "../kit/world.ts";

const LIBRARIES = 200;
const VIEWS = 20;

it("two hundred libraries are shown without asking iManage once they are remembered, and quickly", async () => {
  const here = await world();
  const admins = { nrtadmin_group: ["amelia.hart"], nrtadmin_role: ["amelia.hart"] };
  for (let n = 3; n <= LIBRARIES; n++) {
    const id = `LIB${String(n).padStart(3, "0")}`;
    here.simulator.libraries.put({ customer_id: 5948, id, display_name: `Practice group ${n}`, ...admins });
  }
  const page = `${here.base}/servers/${here.server}/libraries`;
  const browser = new WalkingBrowser();
  const admin = { ...AMELIA, email: "amelia.hart@hartlowell.example" };
  const signedInAt = performance.now();
  await lendLibrary(page, "ACTIVE", admin, browser);
  const firstMs = performance.now() - signedInAt;

  const rows = (html: string) => html.split('scope="row"').length - 1;
  const asked = here.simulator.counts().routes;
  const times: number[] = [];
  for (let view = 0; view < VIEWS; view++) {
    const begun = performance.now();
    const shown = await browser.get(page);
    times.push(performance.now() - begun);
    expect([shown.status, rows(shown.body)]).toEqual([200, LIBRARIES]);
  }
  expect(here.simulator.counts().routes, "iManage was asked").toEqual(asked);
  const median = times.toSorted((a, b) => a - b)[VIEWS / 2]!;
  console.log(
    `figure: a page of ${LIBRARIES} libraries takes ${median.toFixed(0)} ms where rights are remembered; sign-in, first view and first authorization took ${firstMs.toFixed(0)} ms`,
  );
  // 200 ms are the goal; other tests use the machine meanwhile.
  expect(median).toBeLessThan(1_000);
});
