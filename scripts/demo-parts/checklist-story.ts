import { WalkingBrowser } from "../walk/browser.ts";
import { type Person, signIn } from "../walk/connect.ts";
import { lendLibrary, withdrawLibrary } from "../walk/lend-library.ts";
import { HART, LIBRARY, MOREAU, VOSS } from "./people.ts";
import type { SimulatorControl } from "./simulator-control.ts";
import { must, type Teller } from "./teller.ts";

const DOCUMENT = "ACTIVE!1001.1";
const PATIENCE_MS = 45_000;

/** What people see in the sample app (scripts/sample), while the library changes and while its admin changes his mind. */
export class ChecklistStory {
  readonly #teller: Teller;
  readonly #control: SimulatorControl;
  readonly #address: string;
  readonly #libraries: string;
  readonly #name: string;

  constructor(parts: {
    readonly teller: Teller;
    readonly control: SimulatorControl;
    /** Of the sample app. */
    readonly address: string;
    /** *Background service authorization*. */
    readonly libraries: string;
    readonly draft: number;
  }) {
    this.#teller = parts.teller;
    this.#control = parts.control;
    this.#address = parts.address;
    this.#libraries = parts.libraries;
    this.#name = `Share purchase agreement, draft ${parts.draft}`;
  }

  async tell(): Promise<void> {
    const moreau = await this.#opens();
    await this.#changes(moreau);
    await this.#parksAndComesBack(moreau);
  }

  #opens(): Promise<ChecklistReader> {
    const expected = "each viewer sees the documents that iManage lets him see";
    return this.#teller.step("people open the sample app", expected, async () => {
      const moreau = await this.#reader(MOREAU);
      const voss = await this.#reader(VOSS);
      const counts = [moreau, voss].map(({ page }) => (page.match(/<tr id=/g) ?? []).length);
      must(counts[0]! > 0 && counts[0]! < counts[1]!, () => `${counts.join(" and ")} documents`);
      this.#teller.saw(
        `sample app on ${this.#address}: of the first matter in ${LIBRARY} e.moreau sees ${counts[0]} documents, clara.voss ${counts[1]}`,
      );
      voss.close();
      return moreau;
    });
  }

  #changes(reader: ChecklistReader): Promise<void> {
    return this.#teller.step("somebody saves a document", "the page has it within seconds", async () => {
      await this.#control.editDocument(LIBRARY, DOCUMENT, { name: this.#name, last_user: "b.okafor" });
      const seconds = await reader.until(new RegExp(this.#name));
      this.#teller.saw(
        `b.okafor saved ${DOCUMENT}; it was on the page by itself after ${seconds} s: "${this.#name}"`,
      );
    });
  }

  #parksAndComesBack(reader: ChecklistReader): Promise<void> {
    const expected = "the page says so, and is live again once he authorises again";
    return this.#teller.step("the library admin withdraws", expected, async () => {
      await withdrawLibrary(this.#libraries, LIBRARY, HART);
      const parked = await reader.until(/<b>Parked/);
      await lendLibrary(this.#libraries, LIBRARY, HART);
      const live = await reader.until(/<b>Live/);
      reader.close();
      this.#teller.saw(
        `amelia.hart withdrew ${LIBRARY}: parked on the page after ${parked} s, with who must act; authorized again: live after ${live} s`,
      );
    });
  }

  /** Opens the page, connects iManage if that is asked for, and waits for the list. */
  async #reader({ subject, username, password }: Person): Promise<ChecklistReader> {
    const reader = await ChecklistReader.open(this.#address, subject);
    const { browser } = reader;
    await reader.until(/<b>Live|Connect iManage/);
    if (reader.page.includes('action="/connect"')) {
      const { location } = await browser.post(`${this.#address}/connect`, {});
      const base = new URL(this.#libraries).origin;
      await browser.get(await signIn(browser, base, location!, { username, password }));
    }
    await reader.until(/<tr id=/);
    return reader;
  }
}

/** A page that looks again whenever the app tells that there is something new, as its script does. */
class ChecklistReader {
  readonly browser = new WalkingBrowser();
  readonly #address: string;
  readonly #leaving = new AbortController();
  #news: AsyncIterator<unknown> | undefined;
  page = "";

  private constructor(address: string) {
    this.#address = address;
  }

  static async open(address: string, viewer: string): Promise<ChecklistReader> {
    const reader = new ChecklistReader(address);
    await reader.browser.post(`${address}/viewer`, { viewer });
    const { body } = await fetch(`${address}/live`, { signal: reader.#leaving.signal });
    reader.#news = body![Symbol.asyncIterator]();
    return reader;
  }

  /** @returns after how many seconds the page was so */
  async until(pattern: RegExp): Promise<string> {
    const startedAt = performance.now();
    const late = setTimeout(() => this.close(), PATIENCE_MS);
    try {
      for (;;) {
        this.page = (await this.browser.get(`${this.#address}/`)).body;
        if (pattern.test(this.page)) return ((performance.now() - startedAt) / 1_000).toFixed(1);
        await this.#news!.next().catch(() => {
          const shown = this.page.replace(/[\s\S]*<main>|<[^>]*>/g, " ").replace(/\s+/g, " ");
          must(false, () => `no ${pattern} on the page, but: ${shown.slice(0, 300)}`);
        });
      }
    } finally {
      clearTimeout(late);
    }
  }

  close(): void {
    this.#leaving.abort();
  }
}
