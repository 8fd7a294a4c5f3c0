/** Something a person can act upon; printed as it is, without a stack. */
export class Sentence extends Error {
  constructor(text: string) {
    super(text);
    this.name = "Sentence";
    this.stack = "";
  }
}
