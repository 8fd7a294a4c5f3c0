/** Something an operator can mend. It is printed as it stands, without a stack trace, and ends the command with 1. */
export class ExpectedFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ExpectedFault";
  }
}
