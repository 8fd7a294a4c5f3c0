const LINK_BYTES = 32;
const LINKS_PER_CHUNK = 8_192;

/** Links of a chain, 32 bytes each, as many as a file has entries. */
export class LinkList {
  readonly #chunks: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(link: string): void {
    const at = this.#length % LINKS_PER_CHUNK;
    if (at === 0) this.#chunks.push(Buffer.alloc(LINK_BYTES * LINKS_PER_CHUNK));
    this.#chunks.at(-1)!.write(link, at * LINK_BYTES, LINK_BYTES, "base64url");
    this.#length += 1;
  }

  at(index: number): string {
    const chunk = this.#chunks[Math.floor(index / LINKS_PER_CHUNK)]!;
    const at = (index % LINKS_PER_CHUNK) * LINK_BYTES;
    return chunk.toString("base64url", at, at + LINK_BYTES);
  }
}
