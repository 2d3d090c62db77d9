"use strict";
(() => {
  const LENGTH = 25;
  // Letters of a cell that may be broken anywhere.
  const LONG = 16;
  const tables = [];

  const shown = (cell) => {
    if (cell === null) return "–";
    if (typeof cell !== "number") return String(cell);
    if (Number.isInteger(cell)) return Math.abs(cell) >= 1e4 ? cell.toLocaleString("en") : String(cell);
    return String(Number(cell.toPrecision(5)));
  };

  // What is not there comes last, whichever way the rest is sorted.
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  };

  const start = (box) => {
    const told = JSON.parse(document.getElementById(box.dataset.rows).textContent);
    const [body, heads] = [box.querySelector("tbody"), [...box.querySelectorAll("th")]];
    const [find, count] = [box.querySelector("input"), box.querySelector(".count")];
    const [back, on] = [box.querySelector(".back"), box.querySelector(".on")];
    let order = told.rows.map((_, n) => n);
    let [column, sign, at, found] = [-1, 1, 0, -1];

    const draw = () => {
      const rows = order.slice(at, at + LENGTH).map((n) => {
        const line = document.createElement("tr");
        line.classList.toggle("found", n === found);
        told.rows[n].forEach((cell, k) => {
          const place = document.createElement("td");
          place.textContent = shown(cell);
          place.classList.toggle("number", told.numeric[k]);
          place.classList.toggle("long", place.textContent.length > LONG);
          line.append(place);
        });
        return line;
      });
      body.replaceChildren(...rows);
      const last = Math.min(at + LENGTH, order.length);
      count.textContent = order.length ? `${at + 1} to ${last} of ${order.length}` : "none";
      back.disabled = at === 0;
      on.disabled = last === order.length;
    };

    const arrange = () => {
      const wanted = find.value.trim().toLowerCase();
      const has = (row) => row.some((cell) => shown(cell).toLowerCase().includes(wanted));
      order = told.rows.map((_, n) => n).filter((n) => !wanted || has(told.rows[n]));
      if (column >= 0) {
        order.sort((a, b) => compare(told.rows[a][column], told.rows[b][column], sign) || a - b);
      }
      at = 0;
      draw();
    };

    heads.forEach((head, k) => head.querySelector("button").addEventListener("click", () => {
      sign = column === k ? -sign : told.numeric[k] ? -1 : 1;
      column = k;
      heads.forEach((other, n) => {
        const way = sign > 0 ? "ascending" : "descending";
        other.setAttribute("aria-sort", n === k ? way : "none");
      });
      arrange();
    }));
    find.addEventListener("input", arrange);
    back.addEventListener("click", () => { at -= LENGTH; draw(); });
    on.addEventListener("click", () => { at += LENGTH; draw(); });
    box.querySelector(".tools").hidden = told.rows.length <= 10;
    tables.push((anchor) => {
      found = told.anchors.indexOf(anchor);
      if (found < 0) return false;
      find.value = "";
      arrange();
      at = Math.floor(order.indexOf(found) / LENGTH) * LENGTH;
      draw();
      body.querySelector(".found").scrollIntoView({ block: "center" });
      return true;
    });
    draw();
  };

  // A link to an architecture that has no card leads to its row.
  const lead = () => {
    const anchor = decodeURIComponent(location.hash.slice(1));
    if (anchor && !document.getElementById(anchor)) tables.some((go) => go(anchor));
  };

  const open = () => {
    tables.length = 0;
    document.querySelectorAll("[data-rows]").forEach(start);
  };

  open();
  addEventListener("hashchange", lead);
  lead();

  let version = document.body.dataset.live;
  if (!version) return;
  const look = async () => {
    try {
      const now = (await (await fetch("version", { cache: "no-store" })).text()).trim();
      // Not while somebody writes into a table's search.
      const busy = document.activeElement && document.activeElement.tagName === "INPUT";
      if (now !== version && !busy) {
        const text = await (await fetch("", { cache: "no-store" })).text();
        const fresh = new DOMParser().parseFromString(text, "text/html");
        for (const part of ["header", "main", "footer"]) {
          document.querySelector(part).replaceWith(fresh.querySelector(part));
        }
        document.title = fresh.title;
        version = now;
        open();
      }
    } catch {
      document.querySelector("footer p").textContent = "The server has ended; this is the last it told.";
    }
    setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
})();
