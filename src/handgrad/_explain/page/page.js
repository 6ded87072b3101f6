// Links the cells of the page: which numbers meet in which, and the sum they make.
//
// A meeting is one product of the convolution: an entry on the side of the image, a tap of the kernel, an entry on the
// side of the windows, and the entry of the columns between them. Whatever cell is pointed at fixes one of the four, and
// the law gives the rest. Each section casts three tensors in these parts, one of which is its result.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { axes, roles, tensors, groups } = data;
  const SPOKEN = 12; // terms that a screen reader hears
  const WRITTEN = 24; // terms that are written out at a time
  const CASTS = {
    [roles.gathered]: { map: roles.gathered, weight: "weight", image: roles.image, column: roles.unfolded },
    [roles.folded]: { map: roles.map, weight: "weight", image: roles.folded, column: roles.product },
    grad_weight: { map: roles.map, weight: "grad_weight", image: roles.image, column: roles.unfolded },
    grad_bias: {},
  };

  // Numbers and names, as everywhere else in handgrad.

  function number(value) {
    if (typeof value === "string") return value;
    const whole = Number.isInteger(value) && Math.abs(value) < 1e6;
    return (whole ? String(value) : String(Number(value.toPrecision(4)))).replaceAll("-", "−");
  }

  const signed = (value) => (value < 0 ? `(${number(value)})` : number(value));
  const entry = (name, index) => `${tensors[name].symbol}[${index.join(", ")}]`;
  const same = (a, b) => a.length === b.length && a.every((value, at) => value === b[at]);

  function spoken(name, index) {
    const places = tensors[name].words.map((word, at) => `${word} ${index[at]}`);
    return `${name.replace("_", " ")}, ${places.join(", ")}`;
  }

  // Tensors: only what is shown is there.

  for (const tensor of Object.values(tensors)) {
    tensor.at = tensor.positions.map((positions) => new Map(positions.map((position, at) => [position, at])));
  }

  function offset(name, index) {
    let flat = 0;
    for (const [axis, at] of tensors[name].at.entries()) {
      const place = at.get(index[axis]);
      if (place === undefined) return -1;
      flat = flat * at.size + place;
    }
    return flat;
  }

  const valueOf = (name, index) => tensors[name].values[offset(name, index)];

  function* product(lists) {
    if (!lists.length) {
      yield [];
      return;
    }
    for (const rest of product(lists.slice(0, -1))) for (const last of lists.at(-1)) yield [...rest, last];
  }

  // The law.

  const position = (axis, p, k) => p * axis.stride + k * axis.dilation - axis.low;
  const source = (axis, at) => axis.sources[at + axis.low];
  const isInside = (at) => at.every((i, axis) => i >= 0 && i < axes[axis].input);
  const perGroup = tensors.weight.shape[0] / groups;
  const B = tensors.weight.shape[1];
  const channelOf = (a, b) => Math.floor(a / perGroup) * B + b;
  const shown = {
    n: tensors.input.positions[0],
    a: tensors.weight.positions[0],
    b: tensors.weight.positions[1],
    k: tensors.weight.positions.slice(2),
    p: tensors[roles.map].positions.slice(2),
  };

  function ravel(outer, positions, sizes) {
    return positions.reduce((flat, i, axis) => flat * sizes[axis] + i, outer);
  }

  function unravel(flat, sizes) {
    const found = [];
    for (const size of [...sizes].reverse()) {
      found.unshift(flat % size);
      flat = Math.floor(flat / size);
    }
    return [flat, found];
  }

  const kernel = axes.map((axis) => axis.kernel);
  const windows = axes.map((axis) => axis.output);

  function meeting(n, a, b, k, p) {
    const at = axes.map((axis, i) => position(axis, p[i], k[i]));
    const c = channelOf(a, b);
    return {
      map: [n, a, ...p],
      weight: [a, b, ...k],
      image: [n, c, ...at],
      column: [n, ravel(c, k, kernel), ravel(0, p, windows)],
      padding: !isInside(at),
    };
  }

  const inGroup = (channel) => shown.a.filter((a) => Math.floor(a / perGroup) === Math.floor(channel / B));

  // What meets at each position of an axis, with and without the copies that padding made of it: [p, k] of all shown.
  const meets = axes.map((axis, i) => {
    const found = { exact: new Map(), copies: new Map() };
    const put = (map, at, pair) => map.set(at, [...(map.get(at) ?? []), pair]);
    for (const p of shown.p[i]) {
      for (const k of shown.k[i]) {
        const at = position(axis, p, k);
        const from = source(axis, at);
        put(found.exact, at, [p, k]);
        put(found.copies, from ?? at, [p, k]);
      }
    }
    return found;
  });

  function* atImage([n, c, ...at]) {
    const kind = isInside(at) ? "copies" : "exact";
    const pairs = at.map((i, axis) => meets[axis][kind].get(i) ?? []);
    for (const a of inGroup(c)) {
      for (const met of product(pairs)) {
        yield meeting(n, a, c % B, met.map(([, k]) => k), met.map(([p]) => p));
      }
    }
  }

  function* atWeight([a, b, ...k]) {
    for (const n of shown.n) for (const p of product(shown.p)) yield meeting(n, a, b, k, p);
  }

  function* atMap([n, a, ...p]) {
    for (const b of shown.b) for (const k of product(shown.k)) yield meeting(n, a, b, k, p);
  }

  function* atColumn([n, row, column]) {
    const [c, k] = unravel(row, kernel);
    const [, p] = unravel(column, windows);
    for (const a of inGroup(c)) yield meeting(n, a, c % B, k, p);
  }

  const AT = { map: atMap, weight: atWeight, image: atImage, column: atColumn };

  // How many meetings there are with those that are not shown.
  const times = (values) => values.reduce((product, value) => product * value, 1);
  const COUNT = {
    map: () => B * times(kernel),
    weight: () => tensors.input.shape[0] * times(windows),
    column: () => perGroup,
    image: ([, , ...at]) => {
      const copies = isInside(at);
      const perAxis = at.map((i, axis) => {
        let count = 0;
        for (let p = 0; p < windows[axis]; p += 1) {
          for (let k = 0; k < kernel[axis]; k += 1) {
            const met = position(axes[axis], p, k);
            if (met === i || (copies && source(axes[axis], met) === i)) count += 1;
          }
        }
        return count;
      });
      return perGroup * times(perAxis);
    },
  };

  // Sums.

  const ORDER = { [roles.gathered]: ["weight", "image"], [roles.folded]: ["weight", "map"], grad_weight: ["map", "image"] };
  const factor = (name, index, part) => ({ name, index, part, value: valueOf(name, index) });
  const term = (factors, column, padding) => ({
    factors,
    column,
    padding,
    value: times(factors.map((each) => each.value)),
  });

  function partOf(section, name) {
    const cast = CASTS[section];
    return Object.keys(cast).find((part) => cast[part] === name);
  }

  function* termsOf(section, name, index) {
    const cast = CASTS[section];
    if (name === "grad_bias") {
      const { positions, shape } = tensors.grad_output;
      const inside = positions.slice(2).map((axis, at) => axis.filter((i) => i >= 0 && i < shape[at + 2]));
      for (const [n, ...l] of product([positions[0], ...inside])) {
        yield term([factor("grad_output", [n, ...index, ...l], "map")], null, false);
      }
      return;
    }
    const part = partOf(section, name);
    if (name === section) {
      const parts = ORDER[section];
      for (const met of AT[part](index)) {
        yield term(parts.map((each) => factor(cast[each], met[each], each)), met.column, met.padding);
      }
      if (name === "output" && tensors.bias && (name !== roles.folded || isInside(index.slice(2)))) {
        yield term([factor("bias", [index[1]], "weight")], null, false);
      }
    } else if (name === roles.product) {
      for (const met of atColumn(index)) {
        yield term(["weight", "map"].map((each) => factor(cast[each], met[each], each)), met.column, met.padding);
      }
    }
  }

  function countOf(section, name, index) {
    if (name === "grad_bias") return times(tensors.grad_output.shape) / tensors.grad_output.shape[1];
    const bias = name === "output" && tensors.bias && (name !== roles.folded || isInside(index.slice(2))) ? 1 : 0;
    return COUNT[partOf(section, name)](index) + bias;
  }

  // An entry with everything there is to say about it: `terms` of a sum, `marks` of what meets, `say` in words.
  function explained(section, name, index) {
    const found = { section, name, index, value: valueOf(name, index), terms: [...termsOf(section, name, index)] };
    found.count = found.terms.length ? countOf(section, name, index) : 0;
    found.rest = found.count - found.terms.length;
    found.restValue = found.rest ? found.value - total(found.terms) : 0;
    found.marks = marksOf(section, name, index, found.terms);
    found.say = sayOf(section, found);
    return found;
  }

  function marksOf(section, name, index, terms) {
    const marks = new Map();
    const mark = (tensor, at, kind) => {
      if (tensor && !(tensor === name && same(at, index))) marks.set(`${tensor} ${at}`, [tensor, at, kind]);
    };
    for (const each of terms) for (const { name: tensor, index: at, part } of each.factors) mark(tensor, at, part);
    const cast = CASTS[section];
    if (section === "grad_bias") {
      if (name === "grad_output") mark("grad_bias", [index[1]], "weight");
      return [...marks.values()];
    }
    if (name === "bias") {
      for (const at of product(tensors.output.positions)) if (at[1] === index[0]) mark("output", at, "map");
      return [...marks.values()];
    }
    const part = partOf(section, name);
    for (const met of AT[part](index)) {
      for (const each of Object.keys(cast)) mark(cast[each], each === "image" ? landed(cast.image, met) : met[each], each);
    }
    if (name === roles.unfolded) {
      const image = [...atColumn(index)][0]?.image;
      const from = image && sourceOf(image);
      if (from) for (const met of atImage(from)) mark(cast.column, met.column, "column");
      if (image) mark(cast.image, image, "image");
      if (from) mark(cast.image, from, "image");
    }
    return [...marks.values()];
  }

  // A result on the image side is not in the padding: what padding copied comes back to its source.
  function landed(name, met) {
    return name === roles.folded ? (sourceOf(met.image) ?? met.image) : met.image;
  }

  function sourceOf([n, c, ...at]) {
    const from = at.map((i, axis) => source(axes[axis], i));
    return from.includes(null) ? null : [n, c, ...from];
  }

  // In words, what a sum does not show.
  function sayOf(section, { name, index, terms, count }) {
    if (section === "grad_bias") return name === section ? "" : `added to ${entry(section, [index[1]])}`;
    if (name === "bias") return "added to every entry of its channel";
    if (name === roles.unfolded) return sayCopy([...atColumn(index)][0].image);
    if (name === roles.product) return sayFolded([...atColumn(index)][0].image);
    if (name === CASTS[section].image) return sayImage(section, name, index);
    if (name !== section) return `takes part in ${plural(COUNT[partOf(section, name)](index), "product")}`;
    const padding = terms.filter((each) => each.padding).length;
    return padding ? `${padding} of ${plural(count, "product")} with padding` : "";
  }

  function sayCopy(image) {
    const from = sourceOf(image);
    if (!from) return "padding: a zero that stands in no tensor";
    return `a copy of ${entry(roles.image, from)}, which stands in ${plural(COUNT.image(from) / perGroup, "window")}`;
  }

  function sayFolded(image) {
    const to = sourceOf(image);
    return to ? `folds into ${entry(roles.folded, to)}` : "falls into the padding, and is dropped";
  }

  function sayImage(section, name, index) {
    const from = sourceOf(index);
    const isResult = name === section;
    if (!isInside(index.slice(2))) {
      const end = isResult ? ["added to", "dropped"] : ["a copy of", "a zero"];
      return `padding: ${from ? `${end[0]} ${entry(name, from)}` : end[1]}`;
    }
    const overlap = COUNT.image(index) / perGroup;
    if (overlap) return `stands in ${plural(overlap, "window")}`;
    return isResult ? "no window reaches it, so nothing is added" : "no window reaches it";
  }

  const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

  function line({ terms, rest, value }, room) {
    if (!terms.length) return number(value);
    const parts = terms.slice(0, room).map((each) => each.factors.map((one) => signed(one.value)).join("·"));
    const more = terms.length - parts.length + rest;
    if (more) parts.push(plural(more, "more term"));
    return `${number(value)} = ${parts.join(" + ")}`;
  }

  // Cells.

  const sections = new Map();
  const cellOf = new WeakMap(); // td → {section, name, index, yours}

  function link(section) {
    const state = { element: section, id: section.id, cells: new Map(), yours: new Map(), marked: [], found: null };
    state.pinned = false;
    state.step = -1;
    state.timer = 0;
    for (const figure of section.querySelectorAll("[data-tensor]")) linkTensor(state, figure);
    for (const part of ["sum", "terms", "detail", "unseen"]) state[part] = section.querySelector(`.${part}`);
    sections.set(section.id, state);
  }

  function linkTensor(state, figure) {
    const name = figure.dataset.tensor;
    const yours = "yours" in figure.dataset;
    const { positions } = tensors[name];
    const cells = [...figure.querySelectorAll("td:not(.gap)")];
    let at = 0;
    for (const index of product(positions)) {
      const td = cells[at];
      at += 1;
      if (td.className === "none") continue;
      cellOf.set(td, { state, name, index, yours });
      (yours ? state.yours : state.cells).set(`${name} ${index}`, td);
      td.tabIndex = -1;
    }
    if (figure.classList.contains("wide")) shade(cells, tensors[name].values);
    const first = cells.find((td) => cellOf.has(td));
    if (first) tabStop(first);
  }

  function shade(cells, values) {
    const finite = values.filter((value) => typeof value === "number");
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    for (const [at, td] of cells.entries()) {
      const value = values[at];
      td.style.setProperty("--v", high > low && typeof value === "number" ? ((value - low) / (high - low)).toFixed(3) : "0");
    }
  }

  function tabStop(td) {
    const figure = td.closest("figure");
    figure.querySelector("td[tabindex='0']")?.setAttribute("tabindex", "-1");
    td.tabIndex = 0;
    name(td);
  }

  function name(td) {
    const { state, name: tensor, index, yours } = cellOf.get(td);
    const found = explained(state.id, tensor, index);
    const label = `${yours ? "your " : ""}${spoken(tensor, index)}: `;
    const claim = yours ? `${td.textContent}${td.classList.contains("x") ? ", wrong, must be " : ", right, "}` : "";
    td.setAttribute("aria-label", `${label}${claim}${line(found, SPOKEN)}${found.say ? `; ${found.say}` : ""}`);
  }

  // Showing.

  function clearMarks(state) {
    for (const [td, kind] of state.marked) td.classList.remove(kind);
    state.marked = [];
  }

  function mark(state, td, kind) {
    if (!td) return;
    td.classList.add(kind);
    state.marked.push([td, kind]);
  }

  function show(state, name, index) {
    if (state.found && state.found.name === name && same(state.found.index, index) && state.step < 0) return;
    state.found = explained(state.id, name, index);
    state.step = -1;
    paint(state);
  }

  function paint(state) {
    const { found } = state;
    clearMarks(state);
    if (found) {
      for (const [tensor, at, kind] of found.marks) mark(state, state.cells.get(`${tensor} ${at}`), `m-${kind}`);
      const key = `${found.name} ${found.index}`;
      for (const td of [state.cells.get(key), state.yours.get(key)]) mark(state, td, "now");
    }
    for (const folded of state.element.querySelectorAll("details.folded")) tellRow(folded);
    paintSum(state);
    paintStep(state);
    state.element.classList.toggle("pinned", state.pinned);
    for (const button of state.element.querySelectorAll("button")) {
      const idle = !found || (button.dataset.do !== "clear" && !found.terms.length);
      button.disabled = idle;
    }
  }

  // What is marked under a fold, where it is one row of the columns, is told on the fold.
  function tellRow(folded) {
    const marked = [...folded.querySelectorAll("td[class*='m-'], td.now")];
    const rows = new Set(marked.map((td) => td.parentElement));
    const summary = folded.querySelector("summary");
    summary.dataset.folded ??= summary.textContent;
    const [row] = rows;
    const entries = marked.map((td) => td.textContent.trim()).join(", ");
    const told = rows.size === 1 ? `; row ${row.querySelector("th").textContent.trim()} is ${entries}` : "";
    summary.textContent = summary.dataset.folded + told;
  }

  function element(tag, text, className = "") {
    const made = document.createElement(tag);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function paintSum(state) {
    const { found } = state;
    if (!found) {
      state.sum.replaceChildren(element("span", "Point at a number."));
      state.terms.replaceChildren();
      return;
    }
    const notes = [sayYours(state), state.pinned ? "pinned" : "", found.say].filter(Boolean);
    state.sum.replaceChildren(
      element("b", `${entry(found.name, found.index)} = ${number(found.value)}`),
      element("span", ` ${notes.join(" · ")}`),
    );
    state.terms.replaceChildren(...termItems(state));
  }

  // The terms around the one that is stepped to; what comes before and after is summed up.
  function termItems(state) {
    const { terms, rest, restValue } = state.found;
    const start = Math.floor(Math.max(state.step, 0) / WRITTEN) * WRITTEN;
    const items = terms.slice(start, start + WRITTEN).map((each, at) => termItem(state, each, start + at));
    const after = terms.slice(start + WRITTEN);
    if (start) items.unshift(summary(start, "earlier", total(terms.slice(0, start))));
    if (after.length || rest) items.push(summary(after.length + rest, "more", total(after) + restValue));
    return items.flatMap((item, at) => (at ? [plus(), item] : [item]));
  }

  const total = (terms) => terms.reduce((sum, each) => sum + each.value, 0);
  const summary = (count, where, sum) => element("li", `${count} ${where}, together ${number(sum)}`, "rest");

  // What somebody has there instead, and, where the slip is known, how they came by it.
  function sayYours(state) {
    const { name: tensor, index, terms } = state.found;
    const claim = data.compared[tensor];
    if (!claim || tensor !== state.id) return "";
    const at = ravel(0, index, tensors[tensor].shape);
    const wrong = claim.wrong[at];
    const parts = [`yours ${number(claim.values[at])} ${wrong ? "✗" : "✓"}`];
    if (wrong && claim.moved) {
      const from = unravel(claim.moved[at], tensors[tensor].shape)[1];
      mark(state, state.cells.get(`${tensor} ${from}`), "moved");
      parts.push(`which belongs to ${entry(tensor, from)}`);
    }
    if (wrong && claim.samples) {
      const kept = terms.filter((each) => isKept(claim, each)).length;
      parts.push(`which has only ${kept} of ${plural(terms.length, "term")}, the others are struck out`);
    }
    return parts.join(", ");
  }

  const isKept = (claim, each) => claim.samples.includes(each.factors[0].index[0]);

  function isLacking(state, each) {
    const claim = state.found.name === state.id && data.compared[state.id];
    return Boolean(claim?.samples) && !isKept(claim, each);
  }

  function plus() {
    const item = element("li", "+", "plus");
    item.setAttribute("aria-hidden", "true");
    return item;
  }

  const LETTER = { weight: "a", image: "b", map: "c" };

  function termItem(state, each, at) {
    const item = element("li", "", `${each.padding ? "p" : ""} ${isLacking(state, each) ? "lacking" : ""}`.trim());
    for (const [place, one] of each.factors.entries()) {
      if (place) item.append("·");
      item.append(element("span", signed(one.value), LETTER[one.part]));
    }
    item.dataset.term = at;
    item.title = each.factors.map((one) => entry(one.name, one.index)).join(" · ");
    return item;
  }

  function paintStep(state) {
    const { found, step } = state;
    if (!found || step < 0) {
      state.detail.textContent = "";
      return;
    }
    const each = found.terms[step];
    for (const one of each.factors) mark(state, state.cells.get(`${one.name} ${one.index}`), "step");
    if (each.column) mark(state, state.cells.get(`${CASTS[state.id].column} ${each.column}`), "step");
    mark(state, state.terms.querySelector(`[data-term="${step}"]`), "step");
    const names = each.factors.map((one) => entry(one.name, one.index)).join(" · ");
    const values = each.factors.map((one) => signed(one.value)).join(" · ");
    const sum = total(found.terms.slice(0, step + 1));
    const product = each.factors.length > 1 ? `${values} = ${number(each.value)}` : values;
    state.detail.textContent = `term ${step + 1} of ${found.count}: ${names} = ${product}${each.padding ? " (padding)" : ""}; so far ${number(sum)}`;
  }

  // Pinning, stepping, and the address.

  function pin(state, name, index, step = -1) {
    for (const other of sections.values()) if (other !== state && other.pinned) clear(other);
    state.pinned = true;
    state.found = explained(state.id, name, index);
    state.step = Math.min(step, state.found.terms.length - 1);
    paint(state);
    tell(state, state.detail.textContent || `pinned: ${spoken(name, index)} = ${number(state.found.value)}`);
    remember(state);
  }

  function clear(state) {
    stop(state);
    const was = state.pinned;
    Object.assign(state, { pinned: false, found: null, step: -1 });
    paint(state);
    if (was) {
      tell(state, "cleared");
      remember(null);
    }
  }

  function step(state, by) {
    const { found } = state;
    if (!found?.terms.length) return;
    if (!state.pinned) pin(state, found.name, found.index);
    const count = state.found.terms.length;
    state.step = state.step < 0 && by < 0 ? count - 1 : (state.step + by + count) % count;
    paint(state);
    tell(state, state.detail.textContent);
    remember(state);
  }

  function play(state) {
    if (state.timer) {
      stop(state);
      return;
    }
    state.element.querySelector("[data-do=play]").setAttribute("aria-pressed", "true");
    step(state, 1);
    state.timer = setInterval(() => step(state, 1), 900);
  }

  function stop(state) {
    clearInterval(state.timer);
    state.timer = 0;
    state.element.querySelector("[data-do=play]")?.setAttribute("aria-pressed", "false");
  }

  function tell(state, text) {
    state.unseen.textContent = text;
  }

  function fragment(state) {
    if (!state) return "";
    const { name, index } = state.found;
    return `#${state.id}/${name}/${index.join(",")}${state.step < 0 ? "" : `/${state.step}`}`;
  }

  function remember(state) {
    try {
      history.replaceState(null, "", fragment(state) || location.href.split("#")[0]);
    } catch {
      // a frame without an address of its own: what is pinned is shown all the same
    }
  }

  // Not scrollIntoView, which in a frame moves the page around it as well.
  const scrollToTop = (part) => scrollTo({ top: part.getBoundingClientRect().top + scrollY - 16 });

  function recall() {
    const [id, name, where, term] = location.hash.slice(1).split("/"); // letters and digits, as `fragment` wrote them
    const state = sections.get(id);
    if (!state) return;
    if (name === undefined) return;
    const index = (where ?? "").split(",").map(Number);
    const td = state.cells.get(`${name} ${index}`);
    if (!td) return;
    const folded = td.closest("details");
    if (folded) folded.open = true;
    tabStop(td);
    pin(state, name, index, /^\d+$/.test(term ?? "") ? Number(term) : -1);
    const { top, bottom } = td.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight - state.sum.parentElement.offsetHeight) scrollToTop(td.closest("figure"));
  }

  // Pointer and keys.

  const cellAt = (target) => {
    const td = target.closest?.("td");
    return td && cellOf.get(td) ? td : null;
  };

  function point(event) {
    const td = cellAt(event.target);
    if (!td) return;
    const { state, name: tensor, index } = cellOf.get(td);
    if (!state.pinned) show(state, tensor, index);
  }

  function toggle(td) {
    const { state, name: tensor, index } = cellOf.get(td);
    stop(state);
    const { found } = state;
    if (state.pinned && found.name === tensor && same(found.index, index)) clear(state);
    else pin(state, tensor, index);
  }

  function move(td, key, control) {
    const tables = [...td.closest("figure").querySelectorAll("table")];
    const plane = tables.indexOf(td.closest("table"));
    const rows = linked(tables[plane]);
    const row = rows.findIndex((cells) => cells.includes(td));
    const column = rows[row].indexOf(td);
    const last = rows.length - 1;
    const at = (r, c) => rows[Math.max(0, Math.min(r, last))]?.at(c);
    const other = (by) => linked(tables[plane + by] ?? tables[plane])[row]?.[column];
    const goals = {
      ArrowLeft: () => rows[row][column - 1] ?? linked(tables[plane - 1] ?? tables[plane])[row]?.at(tables[plane - 1] ? -1 : 0),
      ArrowRight: () => rows[row][column + 1] ?? (tables[plane + 1] ? linked(tables[plane + 1])[row]?.[0] : td),
      ArrowUp: () => at(row - 1, column),
      ArrowDown: () => at(row + 1, column),
      Home: () => (control ? at(0, 0) : rows[row][0]),
      End: () => (control ? at(last, -1) : rows[row].at(-1)),
      PageUp: () => other(-1),
      PageDown: () => other(1),
    };
    return goals[key]?.();
  }

  const linked = (table) =>
    [...table.rows].map((row) => [...row.cells].filter((cell) => cellOf.has(cell))).filter((cells) => cells.length);

  function press(event) {
    // Escape also clears what the address pinned, when nothing has the focus yet.
    const pinned = event.key === "Escape" ? [...sections.values()].find((each) => each.pinned) : undefined;
    const state = sections.get(event.target.closest?.("section")?.id) ?? pinned;
    if (!state || event.altKey || event.metaKey) return;
    const td = cellAt(event.target);
    if (event.key === "Escape") clear(state);
    else if (event.key === "n" && !event.ctrlKey && td) step(state, 1);
    else if (event.key === "p" && !event.ctrlKey && td) step(state, -1);
    else if (td && (event.key === "Enter" || event.key === " ")) toggle(td);
    else if (td && walk(td, event)) return event.preventDefault();
    else return;
    event.preventDefault();
  }

  function walk(td, event) {
    const goal = move(td, event.key, event.ctrlKey);
    if (!goal) return false;
    tabStop(goal);
    goal.focus();
    return true;
  }

  const DO = { next: (state) => step(state, 1), previous: (state) => step(state, -1), play, clear };

  function click(event) {
    const anchor = event.target.closest?.("a[href^='#']");
    if (anchor) {
      event.preventDefault(); // in a frame the address is that of the page around it
      scrollToTop(document.getElementById(anchor.hash.slice(1)));
      return;
    }
    const state = sections.get(event.target.closest?.("section")?.id);
    const term = event.target.closest?.("[data-term]");
    const td = cellAt(event.target);
    if (event.target.dataset?.do) DO[event.target.dataset.do](state);
    else if (term) step(state, Number(term.dataset.term) - Math.max(state.step, 0) + (state.step < 0 ? 1 : 0));
    else if (td) toggle(td);
  }

  // Paper shows everything: code unfolded, and an example in every section.

  function example(state) {
    show(state, state.id, data.examples[state.id]);
  }

  let closed = [];

  function beforePrint() {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const details of closed) details.open = true;
    for (const state of sections.values()) if (!state.found) example(state);
  }

  function afterPrint() {
    for (const details of closed) details.open = false;
  }

  for (const id of Object.keys(data.examples)) link(document.getElementById(id));
  for (const state of sections.values()) example(state);
  document.addEventListener("pointerover", point);
  document.addEventListener("focusin", (event) => {
    const td = cellAt(event.target);
    if (td) name(td);
    point(event);
  });
  document.addEventListener("click", click);
  document.addEventListener("keydown", press);
  addEventListener("hashchange", recall);
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  recall();
})();
