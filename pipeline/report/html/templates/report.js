"use strict";
// The page works without this script, which adds a filter, and buttons to copy digests.
(() => {
  const spoken = document.getElementById("spoken");

  const copyButton = (code) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    const of = `the digest of ${code.closest("tr").cells[0].textContent.trim()}`;
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
    for (const code of event.target.querySelectorAll(".digest")) {
      if (!code.nextElementSibling) code.after(copyButton(code));
    }
  }, true);

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
        each.hidden = !words.every((word) => each.dataset.find.includes(word));
        if (!each.hidden && each.tagName === "ARTICLE") shown += 1;
      }
      spoken.textContent = `${shown} fixtures shown`;
    });
  }
})();
