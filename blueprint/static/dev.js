// Loads a page of an application again when the server has loaded the application again.
const url = document.querySelector("script[data-dev]").dataset.dev;
let seen = null;

async function look() {
  try {
    const answer = await fetch(url, { cache: "no-store" });
    const { generation } = await answer.json();
    if (seen !== null && generation !== seen) {
      location.reload();
      return;
    }
    seen = generation;
  } catch {
    // the server starts again, perhaps
  }
  setTimeout(look, 700);
}

look();
