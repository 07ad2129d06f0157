// Asks the browser for a passkey, or to make one, and sends its answer with the form. Where passkeys are
// offered in the address field (conditional mediation), a form with data-offered waits for that, too.

const forms = document.querySelectorAll("form[data-passkey]");
// Made before anything is asked, so that a button pressed meanwhile ends an offer that has not begun: the browser
// holds one challenge at a time, and the later one would take the place of the button's.
const offering = new AbortController();

function show(form, name) {
  for (const words of form.querySelectorAll("[data-failed], [data-unknown]")) words.hidden = !(name in words.dataset);
}

async function fetchOptions(form, signal) {
  const answer = await fetch(form.dataset.options, { method: "POST", headers: { accept: "application/json" }, signal });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

async function ask(form, more) {
  const options = await fetchOptions(form, more.signal);
  if (form.dataset.passkey === "create")
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options), ...more });
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options), ...more });
}

function send(form, credential) {
  form.elements.credential.value = JSON.stringify(credential.toJSON());
  form.submit();
}

async function offer(form) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.()) || offering.signal.aborted) return;
  try {
    send(form, await ask(form, { mediation: "conditional", signal: offering.signal }));
  } catch (error) {
    // Nobody has chosen one, or the button was pressed.
  }
}

for (const form of forms) {
  const knows = window.PublicKeyCredential?.parseRequestOptionsFromJSON && window.isSecureContext;
  if (knows && "offered" in form.dataset) offer(form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    show(form, knows ? "" : "unknown");
    if (!knows || !form.reportValidity()) return;
    offering.abort();
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    try {
      send(form, await ask(form, {}));
    } catch (error) {
      show(form, "failed");
    } finally {
      button.disabled = false;
    }
  });
}
