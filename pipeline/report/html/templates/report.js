"use strict";
// The page works without this script, which adds a filter, and buttons to copy digests and commands.
(() => {
  const spoken = document.getElementById("spoken");

  const copyButton = (code) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    const of = code.dataset.copy || `the digest of ${code.closest("tr").cells[0].textContent.trim()}`;
    button.setAttribute("aria-label", `Copy ${of}`);
    button.addEventListener("click", async () => {
      const done = await copied(code);
      button.textContent = done ? "Copied" : "Press Ctrl+C";
      spoken.textContent = done ? `Copied ${of}` : `Selected ${of}`;
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    return button;
  };

  const copied = async (code) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      return true;
    } catch {
      getSelection().selectAllChildren(code);
      return document.execCommand("copy");
    }
  };

  // Add buttons only when visible: a page of many fixtures has thousands.
  document.addEventListener("toggle", (event) => {
    if (!event.target.open) return;
    for (const code of event.target.querySelectorAll(".digest, .command")) {
      if (!code.nextElementSibling?.matches(".copy")) code.after(copyButton(code));
    }
  }, true);

  // On pages of many fixtures a link leads to a guessed height: correct it once the page is still.
  const land = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target || !document.querySelector(".large")) return;
    let [last, still, tries] = [NaN, 0, 0];
    const stop = () => { tries = Infinity; };
    for (const kind of ["wheel", "touchstart", "keydown"]) addEventListener(kind, stop, { once: true });
    const step = () => {
      if (tries > 20) return;
      const top = target.getBoundingClientRect().top;
      still = top === last ? still + 1 : 0;
      last = top;
      if (still >= 3) {
        const before = scrollY;
        target.scrollIntoView({ behavior: "instant" });
        if (Math.abs(scrollY - before) < 1) return;
        still = 0;
        tries += 1;
      }
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  };
  addEventListener("hashchange", land);
  // A second click on the same link changes no hash.
  document.addEventListener("click", (event) => {
    if (event.target.closest?.('a[href^="#"]')) setTimeout(land);
  });
  land();

  const named = [...document.querySelectorAll("[data-find]")];
  if (named.length > 3) {
    const label = document.createElement("label");
    label.className = "filter";
    label.append("Filter ");
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = "name, framework, state";
    label.append(input);
    document.querySelector(".bar-nav .page").append(label);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const each of named) {
        const found = words.every((word) => each.dataset.find.includes(word));
        each.toggleAttribute("hidden", !found);
        if (found && each.matches(".fixture")) shown += 1;
      }
      spoken.textContent = `${shown} fixtures shown`;
    });
  }
})();
