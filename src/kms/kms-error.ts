/** What somebody must do about the service that wraps root keys. Its message is what an operator reads; it holds no key and no token. */
export class KmsError extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = "KmsError";
  }
}
