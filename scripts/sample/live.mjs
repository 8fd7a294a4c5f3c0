// Keeps the page what a fresh one would be. Without scripts, the page loads itself every 15 seconds.
async function look() {
  const response = await fetch(location.href);
  if (response.status >= 500) setTimeout(news, 5_000);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const focused = document.activeElement?.id;
  // The element that screen readers listen to stays; what it says changes.
  for (const id of ["standing", "content"]) {
    const shown = document.getElementById(id);
    const next = fresh.getElementById(id);
    if (shown.innerHTML === next.innerHTML) continue;
    for (const row of next.querySelectorAll("tr[id]")) {
      if (document.getElementById(row.id)?.innerHTML !== row.innerHTML) row.classList.add("fresh");
    }
    shown.replaceChildren(...next.childNodes);
  }
  if (focused) document.getElementById(focused)?.focus();
}

// One look at a time; news that come meanwhile make one more.
let looking = false;
let again = false;
async function news() {
  again = true;
  if (looking) return;
  looking = true;
  while (again) {
    again = false;
    await look().catch(() => setTimeout(news, 5_000));
  }
  looking = false;
}

new EventSource("/live").addEventListener("message", news);
