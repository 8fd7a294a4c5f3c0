import { type Html, html } from "./html.ts";

/** Asks for user name and password. Forms post to the address they came from, so the request stays in the query. */
export const signInPage = (of: {
  application: string;
  action: string;
  username: string;
  problem?: string;
}): string =>
  layout(
    "Sign in",
    html`<h1>Sign in</h1>
      <p><strong>${of.application}</strong> asks for access to iManage Work on your behalf.</p>
      ${of.problem === undefined ? html`` : html`<p class="problem" role="alert">${of.problem}</p>`}
      <form method="post" action="${of.action}">
        <label for="username">User name or e-mail</label>
        <input id="username" name="username" value="${of.username}" autocomplete="username" autocapitalize="none" spellcheck="false" autofocus>
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password">
        <div class="buttons">
          <button name="action" value="sign-in">Sign in</button>
          <button name="action" value="cancel" class="quiet">Cancel</button>
        </div>
      </form>`,
  );

/** For a browser that is signed in already. */
export const consentPage = (of: {
  application: string;
  action: string;
  userName: string;
  email: string;
}): string =>
  layout(
    "Continue",
    html`<h1>Continue as ${of.userName}?</h1>
      <p>You are signed in as <strong>${of.email}</strong>.</p>
      <p><strong>${of.application}</strong> asks for access to iManage Work on your behalf.</p>
      <form method="post" action="${of.action}">
        <div class="buttons">
          <button name="action" value="continue">Continue as ${of.userName}</button>
          <button name="action" value="switch" class="quiet">Use another account</button>
          <button name="action" value="cancel" class="quiet">Cancel</button>
        </div>
      </form>`,
  );

/** Ends here: nobody is sent back. */
export const errorPage = (title: string, text: string): string =>
  layout(title, html`<h1>${title}</h1><p class="problem" role="alert">${text}</p>`);

const layout = (title: string, content: Html): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · iManage Work simulator</title>
<style>
  :root { color-scheme: light; font: 16px/1.5 system-ui, sans-serif; }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #e9edf1; color: #1d2733; }
  main { width: min(26rem, calc(100vw - 2rem)); background: #fff; border-radius: 10px; box-shadow: 0 2px 14px #1d273322; overflow: hidden; }
  header { padding: .7rem 1.6rem; background: #33475b; color: #fff; font-size: .9rem; }
  section { padding: 1.2rem 1.6rem 1.8rem; }
  h1 { font-size: 1.3rem; margin: .2rem 0 .6rem; }
  label { display: block; margin: .8rem 0 .2rem; font-weight: 600; }
  input { box-sizing: border-box; width: 100%; padding: .55rem .7rem; font: inherit; border: 1px solid #7d8b99; border-radius: 6px; }
  .buttons { display: flex; flex-wrap: wrap; gap: .6rem; margin-top: 1.2rem; }
  button { font: inherit; padding: .55rem 1.1rem; border: 1px solid #1f5c8f; border-radius: 6px; background: #1f5c8f; color: #fff; cursor: pointer; }
  button.quiet { background: #fff; color: #1f5c8f; }
  input:focus-visible, button:focus-visible { outline: 3px solid #c77700; outline-offset: 2px; }
  .problem { padding: .6rem .8rem; background: #fdecea; border-left: 4px solid #b3261e; }
</style>
</head>
<body>
<main>
<header>iManage Work simulator – for tests, not a real sign-in</header>
<section>${content}</section>
</main>
</body>
</html>
`.toString();
