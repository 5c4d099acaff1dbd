"use strict";
/* The report: draws the figures from the data in the page, and follows each to what is behind it.
   Texts from data only ever become text nodes. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const main = document.getElementById("main");
  const dialog = document.getElementById("dialog");
  const ROWS_SHOWN = 500;

  /* --- making elements --- */

  function h(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "onclick" || name === "oninput" || name === "onchange") {
        element.addEventListener(name.slice(2), value);
      } else if (name === "style") {
        element.style.cssText = value;
      } else if (value !== null && value !== undefined && value !== false) {
        element.setAttribute(name, value === true ? "" : value);
      }
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  }

  const count = (number) => number.toLocaleString("en-US");
  const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;
  const span = (period) => period.replace(/[./]+/, " to ");
  const percent = (rate) => (rate === null ? "–" : `${(rate * 100).toFixed(1)} %`);

  function money(minor, withCode) {
    const digits = data.currency.digits;
    const text = (Math.abs(minor) / 10 ** digits).toLocaleString("en-US", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    return `${withCode ? `${data.currency.code} ` : ""}${minor < 0 ? "−" : ""}${text}`;
  }

  /* columns: {title, cell(row), num, sort?}. cell gives a text, a number or an element. */
  function table(caption, columns, rows, foot) {
    const cell = (column, row, index) =>
      index === 0
        ? h("th", { scope: "row", class: column.class || "wrap" }, column.cell(row))
        : h("td", { class: column.num ? "num" : column.class || null }, column.cell(row));
    const shown = rows.slice(0, ROWS_SHOWN);
    const body = h("tbody", {}, shown.map((row) => h("tr", {}, columns.map((c, i) => cell(c, row, i)))));
    return [
      h("table", {},
        caption ? h("caption", {}, caption) : null,
        h("thead", {}, h("tr", {}, columns.map((c) =>
          h("th", { scope: "col", class: c.num ? "num" : null }, c.title)))),
        body,
        foot ? h("tfoot", {}, foot) : null),
      rows.length > shown.length
        ? h("p", { class: "small soft" }, `The first ${count(ROWS_SHOWN)} of ${count(rows.length)} rows are shown.`)
        : null,
    ];
  }

  function section(id, title, ...content) {
    document.getElementById("nav").append(h("li", {}, h("a", { href: `#${id}` }, title)));
    main.append(h("section", { id, "aria-labelledby": `${id}-title` },
      h("h2", { id: `${id}-title` }, title), ...content));
  }

  /* --- the dialog, with a way back --- */

  const trail = [];

  function draw() {
    const { title, content } = trail[trail.length - 1];
    dialog.replaceChildren(
      h("div", { class: "dialog-head" },
        h("h2", { id: "dialog-title", tabindex: "-1" }, title),
        h("div", { style: "display:flex;gap:.5rem" },
          trail.length > 1
            ? h("button", { class: "solid", type: "button", onclick: () => { trail.pop(); draw(); } }, "Back")
            : null,
          h("button", { class: "solid", type: "button", onclick: () => dialog.close() }, "Close"))),
      h("div", { class: "dialog-body" }, ...content().flat().filter((child) => child)));
    dialog.scrollTop = 0;
    dialog.querySelector("#dialog-title").focus();
  }

  function show(title, content) {
    if (!dialog.open) {
      trail.length = 0;
      trail.push({ title, content });
      dialog.showModal();
    } else {
      trail.push({ title, content });
    }
    draw();
  }

  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });

  const link = (text, title, content, kind) =>
    h("button", { type: "button", class: kind || null, onclick: () => show(title, content) }, text);

  /* --- what is in the data --- */

  const STATUS = ["achieved", "gap", "excluded", "excepted"];
  const SEX = ["", "female", "male", "other"];
  const indicators = data.measure.indicators.map((indicator, i) => ({ ...indicator, closes: data.closes[i] }));
  const registers = data.measure.registers;
  /* A person: [id, sex, age, practice, [registers], [[indicator, status, [evidence]]]]; evidence:
     [definition, value, resource, date]; then why they are on each register, and encounters
     [id, date, organisation]. */
  const persons = data.persons.rows.map((row) => ({
    id: row[0],
    sex: SEX[row[1]],
    age: row[2],
    practice: row[3],
    registers: row[4],
    answers: new Map(row[5].map(([indicator, status, evidence]) =>
      [indicator, { status: STATUS[status], evidence }])),
    why: row[6],
    encounters: row[7],
  }));
  const organisations = data.persons.organisations;
  const personById = new Map(persons.map((person) => [person.id, person]));
  const practiceName = (index) => (index < 0 ? "no practice" : data.practices[index].name);

  function partNote(found, all) {
    return found < all
      ? h("p", { class: "note" },
        `This page holds ${count(found)} of these ${count(all)}. All are in the files of the run: ` +
        "measure/registers.ndjson, measure/gaps.ndjson and settle/details.")
      : null;
  }

  function facts(evidence) {
    return h("ul", { class: "facts" }, evidence.map(([definition, value, resource, date]) =>
      h("li", {}, date ? `${date}: ` : `${definition}: `, value,
        resource ? h("span", { class: "soft small mono" }, ` ${resource}`) : null)));
  }

  const tag = (status) => h("span", { class: `tag ${status}` }, status);

  function personLink(id) {
    const person = personById.get(id);
    return h("button", { type: "button", class: "mono", onclick: () => showPerson(id) },
      person ? person.id : id);
  }

  function personColumns(extra) {
    return [
      { title: "Person", cell: (p) => personLink(p.id) },
      { title: "Age", num: true, cell: (p) => (p.age === null ? "" : count(p.age)) },
      { title: "Sex", cell: (p) => p.sex },
      { title: "Practice", cell: (p) => practiceName(p.practice), class: "wrap" },
      ...extra,
    ];
  }

  function showPerson(id) {
    show(`Person ${id}`, () => {
      const person = personById.get(id);
      const paid = linesOfPerson(id);
      const parts = [];
      if (person) {
        parts.push(h("dl", {},
          h("dt", {}, `Age on ${data.programme.to}`), h("dd", {}, person.age === null ? "unknown" : String(person.age)),
          h("dt", {}, "Sex"), h("dd", {}, person.sex || "unknown"),
          h("dt", {}, `Practice on ${data.attributed_on}`), h("dd", {}, practiceName(person.practice)),
          h("dt", {}, "Registers"), h("dd", {}, person.registers.length === 0 ? "none"
            : h("ul", { class: "facts" }, person.registers.map((register, i) =>
              h("li", {}, registers[register].title, person.why[i].length > 0 ? facts(person.why[i]) : null))))));
      }
      if (person && person.answers.size > 0) {
        parts.push(h("h3", {}, "Indicators"), ...table(null, [
          { title: "Indicator", cell: ([i]) => indicators[i].title },
          { title: "Answer", cell: ([, answer]) => tag(answer.status) },
          { title: "Because of", cell: ([, answer]) => facts(answer.evidence) },
          { title: "What closes the gap", cell: ([i, answer]) => (answer.status === "gap" ? indicators[i].closes : "") },
        ], [...person.answers]));
      }
      if (paid.length > 0) {
        parts.push(h("h3", {}, "Payments that this person is behind"),
          ...table(null, lineColumns(), paid));
      }
      if (person && person.encounters.length > 0) {
        parts.push(h("h3", {}, "Encounters that may say whose person this is"), ...encounterTable(person.encounters));
      }
      if (!person) parts.push(h("p", { class: "note" }, "The row of this person is not in this page."));
      return parts;
    });
  }

  function showPersons(title, list, all, extra) {
    show(title, () => [
      h("p", { class: "soft" }, plural(all, "person", "persons")),
      partNote(list.length, all),
      ...table(null, personColumns(extra || []), list),
    ]);
  }

  const answerColumns = (indicator) => [
    { title: "Answer", cell: (p) => tag(p.answers.get(indicator).status) },
    { title: "Because of", cell: (p) => facts(p.answers.get(indicator).evidence) },
  ];

  function answered(indicator, status, practice) {
    return persons.filter((p) => p.answers.has(indicator) &&
      (status === null || p.answers.get(indicator).status === status) &&
      (practice === null || p.practice === practice));
  }

  function answerLink(number, indicator, status, practice, kind) {
    if (number === 0) return h("span", { class: "zero" }, "0");
    const where = practice === null ? "" : `, ${practiceName(practice)}`;
    return h("button", {
      type: "button", class: kind || null,
      "aria-label": `${count(number)} ${status || "asked"}: ${indicators[indicator].title}${where}`,
      onclick: () => showPersons(`${indicators[indicator].title}: ${status || "all"}${where}`,
        answered(indicator, status, practice), number, answerColumns(indicator)),
    }, count(number));
  }

  /* --- payments --- */

  /* A line: [practice id, clause, period, quantity, minor, cell, indicator, reason, detail file]. */
  const lines = (data.lines || []).map((row) => ({
    practice: row[0], clause: row[1], period: row[2], quantity: row[3], minor: row[4], cell: row[5],
    indicator: row[6], reason: row[7], detail: row[8],
  }));
  const payees = new Map((data.settle ? data.settle.practices : []).map((p) => [p.id, p.name]));
  /* Facts behind the lines of a practice and clause, as the detail files have them. */
  const factRows = new Map((data.details || []).map(([practice, clause, rows]) => [`${practice} ${clause}`, rows]));

  function factsOf(line) {
    const rows = factRows.get(`${line.practice} ${data.clauses[line.clause].id}`) || [];
    return rows.filter((fact) => fact.from <= line.period && line.period <= fact.to &&
      fact.cell === line.cell && (fact.indicator || "") === line.indicator);
  }

  let lineIndex = null;
  function linesOfPerson(id) {
    if (lineIndex === null) {
      lineIndex = new Map();
      for (const line of lines) {
        for (const fact of factsOf(line)) {
          if (!lineIndex.has(fact.person)) lineIndex.set(fact.person, []);
          lineIndex.get(fact.person).push(line);
        }
      }
    }
    return lineIndex.get(id) || [];
  }

  function lineColumns() {
    return [
      { title: "Period", cell: (l) => span(l.period) },
      { title: "Practice", cell: (l) => payees.get(l.practice), class: "wrap" },
      { title: "For", cell: (l) => h("button", { type: "button", onclick: () => showLine(l) }, l.reason) },
      { title: `Amount (${data.currency.code})`, num: true, cell: (l) => money(l.minor) },
    ];
  }

  /* Why the practice was the person's: 7 of 12 encounters, the next had 4. */
  const attributedText = (fact) => `${count(fact.encounters)} of ${plural(fact.of, "encounter", "encounters")}, ` +
    (fact.next > 0 ? `next ${count(fact.next)}, ` : "") + `latest ${fact.latest}` +
    (fact.decided === "only" || fact.decided === "most" ? "" : `, decided by ${fact.decided.replaceAll("-", " ")}`);

  function encounterTable(encounters) {
    return table(null, [
      { title: "Date", cell: (e) => e[1] },
      { title: "Organisation", cell: (e) => organisations[e[2]][1], class: "wrap" },
      { title: "Encounter", cell: (e) => `Encounter/${e[0]}`, class: "mono wrap" },
    ], encounters);
  }

  /* The encounters that were counted: those of the organisation up to its latest, as many as count. */
  function attributed(line, fact) {
    const person = personById.get(fact.person);
    if (!person) return attributedText(fact);
    return h("button", { type: "button", onclick: () => show(`Encounters of ${fact.person} that count`, () => {
      const counted = person.encounters.filter((e) => organisations[e[2]][0] === line.practice && e[1] <= fact.latest)
        .slice(-fact.encounters);
      return [h("p", { class: "soft" }, `${attributedText(fact)}. They make ${payees.get(line.practice)} the person’s practice for ${span(line.period)}.`),
        ...encounterTable(counted)];
    }) }, attributedText(fact));
  }

  function factColumns(line, behind) {
    return [
      { title: "Person", cell: (fact) => personLink(fact.person) },
      behind.some((fact) => fact.age !== undefined) ? { title: "Age", num: true, cell: (fact) => String(fact.age ?? "") } : null,
      { title: "Belongs to the practice because of", cell: (fact) => attributed(line, fact) },
      behind.some((fact) => fact.evidence) ? {
        title: "Achieved because of",
        cell: (fact) => facts((fact.evidence || []).map((e) => [e.definition, e.value, e.resource, e.day])),
      } : null,
    ].filter((column) => column);
  }

  function showLine(line) {
    const clause = data.clauses[line.clause];
    show(`${clause.title}, ${span(line.period)}`, () => {
      const behind = factsOf(line);
      return [
        h("dl", {},
          h("dt", {}, "Practice"), h("dd", {}, payees.get(line.practice)),
          h("dt", {}, "Amount"), h("dd", { class: "total" }, money(line.minor, true)),
          h("dt", {}, "For"), h("dd", {}, line.reason),
          h("dt", {}, "Detail file"), h("dd", { class: "mono" }, `settle/details/${line.detail}.ndjson`)),
        h("h3", {}, "The clause in words"),
        h("p", { class: "words" }, clause.words),
        h("h3", {}, "Persons and what was known of them"),
        partNote(behind.length, line.quantity),
        ...table(null, factColumns(line, behind), behind),
      ];
    });
  }

  function showLines(title, chosen) {
    show(title, () => [
      h("p", { class: "soft" }, `${plural(chosen.length, "payment line", "payment lines")}, `,
        h("span", { class: "total" }, money(chosen.reduce((sum, l) => sum + l.minor, 0), true))),
      ...table(null, lineColumns(), chosen),
    ]);
  }

  function moneyLink(chosen, title, withCode) {
    const sum = chosen.reduce((total, line) => total + line.minor, 0);
    if (chosen.length === 0) return h("span", { class: "zero" }, "–");
    return h("button", { type: "button", "aria-label": `${title}: ${money(sum, true)}`, onclick: () => showLines(title, chosen) },
      money(sum, withCode));
  }

  /* --- the sections --- */

  function drawHead() {
    const { programme } = data;
    document.getElementById("head").append(
      h("h1", {}, programme.title),
      h("p", { class: "soft" }, `${programme.from} to ${programme.to} · programme ${programme.id} ${programme.version}`));
  }

  function card(value, label, kind) {
    return h("li", { class: `card ${kind || ""}` }, h("b", {}, value), h("span", {}, label));
  }

  function drawOverview() {
    const { load, measure, settle } = data;
    const gaps = indicators.reduce((sum, i) => sum + i.gaps, 0);
    section("overview", "Overview",
      h("ul", { class: "cards" },
        card(h("button", { type: "button", "aria-label": plural(measure.persons, "person", "persons"),
          onclick: () => showPersons("All persons", persons, measure.persons) }, count(measure.persons)), measure.persons === 1 ? "person" : "persons"),
        card(h("a", { href: "#records" }, count(measure.resources)), "resources of their records"),
        load ? card(h("a", { href: "#records" }, count(load.refused)),
          load.refused === 1 ? "resource refused" : "resources refused", load.refused > 0 ? "bad" : "") : null,
        ...registers.map((r, index) => h("li", { class: "card" },
          h("b", {}, registerLink(r, index)), h("span", {}, `on the register: ${r.title}`))),
        card(gaps === 0 ? "0" : h("button", { type: "button", class: "gapcount", "aria-label": plural(gaps, "gap in care", "gaps in care"),
          onclick: showAllGaps }, count(gaps)), gaps === 1 ? "gap in care" : "gaps in care"),
        settle ? card(moneyLink(lines, "All payments", true), "payments") : null));
  }

  /* A row a person with a gap, with all of their gaps. */
  function showAllGaps() {
    const open = (p) => [...p.answers].filter(([, answer]) => answer.status === "gap");
    const list = persons.filter((p) => open(p).length > 0);
    show("Gaps in care", () => [
      h("p", { class: "soft" }, `${plural(list.length, "person", "persons")} with a gap.`),
      ...table(null, personColumns([
        { title: "Gaps", cell: (p) => h("ul", { class: "facts" }, open(p).map(([i]) => h("li", {}, indicators[i].title))) },
        { title: "What closes them", cell: (p) => h("ul", { class: "facts" }, open(p).map(([i]) => h("li", {}, indicators[i].closes))) },
      ]), list),
    ]);
  }

  function registerOfPractice(practice, index) {
    const number = practice.registers[index];
    if (number === 0) return h("span", { class: "zero" }, "0");
    return h("button", {
      type: "button", "aria-label": `${count(number)}: ${registers[index].title}, ${practice.name}`,
      onclick: () => showPersons(`Register: ${registers[index].title}, ${practice.name}`,
        persons.filter((p) => p.practice === practice.index && p.registers.includes(index)), number,
        [{ title: "Because of", cell: (p) => facts(p.why[p.registers.indexOf(index)]) }]),
    }, count(number));
  }

  function registerLink(register, index) {
    return h("button", {
      type: "button", "aria-label": `${register.title}: ${plural(register.persons, "person", "persons")}`,
      onclick: () => showPersons(`Register: ${register.title}`,
        persons.filter((p) => p.registers.includes(index)), register.persons,
        [{ title: "Because of", cell: (p) => facts(p.why[p.registers.indexOf(index)]) }]),
    }, count(register.persons));
  }

  function drawIndicators() {
    const bar = (indicator) => h("div", { class: "bar", role: "img", "aria-label": indicator.rate === null ? "nobody is eligible"
      : `${percent(indicator.rate)}, with 95 % confidence between ${percent(indicator.rate_low)} and ${percent(indicator.rate_high)}` },
    indicator.rate === null ? null : h("i", { style: `width:${indicator.rate * 100}%` }),
    indicator.rate === null ? null
      : h("u", { style: `left:${indicator.rate_low * 100}%;right:${100 - indicator.rate_high * 100}%` }));
    section("indicators", "Indicators",
      h("p", { class: "soft" }, "Of those on the register and not excluded, who got what they should have. The whisker is Wilson’s interval at 95 %."),
      h("ul", { class: "bars panel" }, indicators.map((indicator, index) =>
        h("li", {},
          h("div", {}, h("b", {}, indicator.title),
            h("div", { class: "soft small" }, `register: ${registers.find((r) => r.id === indicator.register).title}`)),
          bar(indicator),
          h("div", { class: "rate" }, h("b", {}, percent(indicator.rate)),
            h("div", { class: "small" },
              answerLink(indicator.achieved, index, "achieved", null), " of ",
              `${count(indicator.achieved + indicator.gaps)} · `,
              answerLink(indicator.gaps, index, "gap", null, "gapcount"), indicator.gaps === 1 ? " gap" : " gaps",
              indicator.excluded > 0 ? [" · ", answerLink(indicator.excluded, index, "excluded", null), " excluded"] : null,
              indicator.excepted > 0 ? [" · ", answerLink(indicator.excepted, index, "excepted", null), " excepted"] : null))))));
  }

  function drawGaps() {
    const rows = data.practices.map((practice, index) => ({ ...practice, index }))
      .filter((practice) => practice.registers.some((n) => n > 0));
    if (data.without.registers.some((n) => n > 0)) rows.push({ ...data.without, name: "no practice", index: -1 });
    const gapsOf = (practice) => practice.indicators.reduce((sum, i) => sum + i[3], 0);
    rows.sort((a, b) => (a.index < 0) - (b.index < 0) || gapsOf(b) - gapsOf(a) || (a.name < b.name ? -1 : 1));
    const holder = h("div", { class: "panel scroll", tabindex: "0", role: "region", "aria-label": "Gaps by practice" });
    const fill = (filter) => {
      const shown = rows.filter((p) => p.name.toLowerCase().includes(filter.toLowerCase()));
      holder.replaceChildren(...table(
        "How many of a practice’s persons on a register miss what an indicator asks for.",
        [
          { title: "Practice", cell: (p) => p.name, class: "stick wrap" },
          ...registers.map((r, i) => ({ title: `Register: ${r.title}`, num: true, cell: (p) => registerOfPractice(p, i) })),
          ...indicators.map((indicator, i) => ({
            title: indicator.title, num: true,
            cell: (p) => (p.indicators[i][0] === 0 ? h("span", { class: "zero" }, "–")
              : h("span", {}, answerLink(p.indicators[i][3], i, "gap", p.index, "gapcount"), " of ",
                answerLink(p.indicators[i][0], i, null, p.index))),
          })),
        ], shown).filter((x) => x));
    };
    fill("");
    section("gaps", "Gaps by practice",
      h("p", { class: "soft" }, `A person is on the list of the practice that was responsible for them on ${data.attributed_on}.`),
      rows.length > 12 ? h("div", { class: "tools" }, h("label", {}, "Practice",
        h("input", { type: "search", oninput: (event) => fill(event.target.value) }))) : null,
      holder);
  }

  function drawPayments() {
    const { settle } = data;
    const periods = [...new Set(lines.map((l) => l.period))].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
    const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const short = (period) => (period.length > 7 ? span(period).replace(/^(\d{4})-01 to \1-12$/, "Year $1")
      : `${MONTHS[Number(period.slice(5, 7)) - 1]} ${period.slice(0, 4)}`);
    const holder = h("div", { class: "panel scroll", tabindex: "0", role: "region", "aria-label": "Payments by practice and month" });
    holder.classList.add("tight");
    let clause = -1;
    let filter = "";
    const fill = () => {
      const chosen = lines.filter((l) => (clause < 0 || l.clause === clause) &&
        payees.get(l.practice).toLowerCase().includes(filter));
      const shown = periods.filter((p) => chosen.some((l) => l.period === p));
      const byPractice = new Map();
      for (const line of chosen) {
        if (!byPractice.has(line.practice)) byPractice.set(line.practice, []);
        byPractice.get(line.practice).push(line);
      }
      const sum = (list) => list.reduce((total, l) => total + l.minor, 0);
      const rows = [...byPractice].sort((a, b) => sum(b[1]) - sum(a[1]) || (a[0] < b[0] ? -1 : 1));
      const foot = h("tr", {}, h("th", { scope: "row", class: "stick" }, "Total"),
        shown.map((p) => h("td", { class: "num" }, money(sum(chosen.filter((l) => l.period === p))))),
        h("td", { class: "num" }, moneyLink(chosen, "All payments")));
      holder.replaceChildren(...table(`${data.currency.code}, by practice and by month of what is paid for.`, [
        { title: "Practice", cell: ([id]) => payees.get(id), class: "stick wrap" },
        ...shown.map((p) => ({
          title: short(p), num: true,
          cell: ([id, list]) => moneyLink(list.filter((l) => l.period === p), `${payees.get(id)}, ${span(p)}`),
        })),
        { title: "Total", num: true, cell: ([id, list]) => moneyLink(list, payees.get(id)) },
      ], rows, foot).filter((x) => x));
    };
    fill();
    section("payments", "Payments",
      h("p", { class: "soft" }, `Contract ${settle.contract}, version ${settle.version}. Every amount opens its payment lines, and every line its clause, persons and events.`),
      h("ul", { class: "cards" }, settle.clauses.map((c, index) =>
        h("li", { class: "card" }, h("b", {}, moneyLink(lines.filter((l) => l.clause === index), c.title)), h("span", {}, c.title)))),
      h("div", { class: "tools" },
        h("label", {}, "Clause", h("select", { onchange: (event) => { clause = Number(event.target.value); fill(); } },
          h("option", { value: "-1" }, "all clauses"),
          settle.clauses.map((c, index) => h("option", { value: String(index) }, c.title)))),
        h("label", {}, "Practice", h("input", { type: "search", oninput: (event) => { filter = event.target.value.toLowerCase(); fill(); } }))),
      holder);
    if (settle.ledger) drawLedger(settle.ledger);
  }

  /* An account opens the payment lines that were posted to it. */
  function accountCell(account) {
    const last = account.account.slice(account.account.lastIndexOf(":") + 1);
    const posted = lines.filter((l) => (account.account.startsWith("payable:") && l.practice === last) ||
      (account.account.startsWith("expense:") && data.clauses[l.clause].id === last));
    const name = account.name && account.name !== account.account ? account.name : account.account;
    const text = posted.length === 0 ? name
      : h("button", { type: "button", onclick: () => showLines(name, posted) }, name);
    return h("span", {}, text, h("span", { class: "soft small mono" }, ` ${account.account}`));
  }

  function drawLedger(ledger) {
    const debit = ledger.accounts.reduce((sum, a) => sum + a.debit_minor, 0);
    const credit = ledger.accounts.reduce((sum, a) => sum + a.credit_minor, 0);
    section("ledger", "Ledger",
      h("p", { class: "soft" }, `${plural(ledger.entries, "entry", "entries")}; the balances of all accounts add up to ${money(ledger.trial_balance_minor, true)}.`),
      h("div", { class: "panel scroll", tabindex: "0", role: "region", "aria-label": "Trial balance" },
        ...table(`Trial balance, ${data.currency.code}`, [
          { title: "Account", cell: accountCell },
          { title: "Debit", num: true, cell: (a) => money(a.debit_minor) },
          { title: "Credit", num: true, cell: (a) => money(a.credit_minor) },
          { title: "Balance", num: true, cell: (a) => money(a.balance_minor) },
        ], ledger.accounts, h("tr", {}, h("th", { scope: "row" }, "Total"),
          h("td", { class: "num" }, money(debit)), h("td", { class: "num" }, money(credit)),
          h("td", { class: "num" }, money(debit - credit)))).filter((x) => x)));
  }

  function drawRecords() {
    const types = Object.entries(data.types).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const content = [
      h("div", { class: "panel scroll", tabindex: "0", role: "region", "aria-label": "Resources by type" },
        ...table("What the store holds, by type of resource.", [
          { title: "Resource", cell: (row) => row[0] },
          { title: "Number", num: true, cell: (row) => count(row[1]) },
        ], types).filter((x) => x)),
    ];
    if (data.load && data.load.refused > 0) {
      content.push(h("h3", {}, "Refused"), h("p", {}, "They are in refused.ndjson, to be mended and loaded again."),
        ...table(null, [
          { title: "Rule", cell: (row) => row[0] },
          { title: "Number", num: true, cell: (row) => count(row[1]) },
        ], Object.entries(data.load.refused_by_rule)));
    }
    if (data.findings.length > 0) {
      content.push(h("h3", {}, "Findings"), h("div", { class: "panel scroll", tabindex: "0", role: "region", "aria-label": "Findings" },
        ...table(`${plural(data.findings_count, "finding", "findings")}; all that were kept are in findings.ndjson.`, [
          { title: "Where", cell: (f) => `${f.file}${f.line ? `:${f.line}` : ""}`, class: "wrap mono" },
          { title: "Element", cell: (f) => f.path, class: "wrap mono" },
          { title: "Finding", cell: (f) => `${f.severity}: ${f.text}`, class: "wrap" },
          { title: "Rule", cell: (f) => f.rule, class: "mono" },
        ], data.findings).filter((x) => x)));
    }
    section("records", "Records", ...content);
  }

  drawHead();
  drawOverview();
  drawIndicators();
  drawGaps();
  if (data.settle) drawPayments();
  drawRecords();
  if (data.persons.rows.length < data.persons.total) {
    document.getElementById("head").append(h("p", { class: "note" },
      `This page holds the rows of ${count(data.persons.rows.length)} of ${count(data.persons.total)} persons, those on registers first. ` +
      "All are in the files beside it; braid report --report-persons N holds more."));
  }
})();
