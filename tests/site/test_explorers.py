"""Figures with sliders, moved in a real browser: each curve and each number is what lossref computes here and now."""

import gzip
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import lossref
from tests.site.conftest import ROOT, pages_of
from tests.site.test_browser import OVERFLOW, axe
from tools.explorers.draw import decode, digits, encode
from tools.figures import FIGURES, FOLDER, differs

browser_test = pytest.mark.browser


# ---- what each explorer must show --------------------------------------------------------------


def logit(p):
    return np.log(p) - np.log1p(-p)


def sigmoid(z):
    return 1 / (1 + np.exp(-np.asarray(z)))


def softmax(z):
    return np.exp(z) / np.exp(z).sum()


def element(cls, **arguments):
    return cls(reduction="none", **arguments)


@dataclass
class Expected:
    """One explorer: the numbers of its sentence and the moving lines of its panels, for the stops of its sliders.

    A line is a function of x, or the points it must have. `count` is how many significant digits are shown.
    """

    numbers: Callable
    lines: Callable
    count: int = 3


def focal_numbers(gamma, alpha):
    loss, entropy = element(lossref.SigmoidFocalLoss, alpha=alpha, gamma=gamma), element(lossref.BCEWithLogitsLoss)

    def left(p):  # of the loss of a positive and of a negative whose right answer has probability p
        return [float(loss(z, y) / entropy(z, y)) for z, y in ((logit(p), 1.0), (-logit(p), 0.0))]

    return [gamma, *([] if alpha is None else [alpha]), 0.9, *left(0.9), 0.1, *left(0.1)]


def focal_lines(gamma, alpha):
    loss, entropy = element(lossref.SigmoidFocalLoss, alpha=alpha, gamma=gamma), element(lossref.BCEWithLogitsLoss)

    def of(which, sign, relative=False):
        def line(p):
            z = sign * logit(np.clip(p, 1e-6, 1 - 1e-6))
            y = np.full_like(z, (sign + 1) / 2)
            return getattr(loss, which)(z, y) / (getattr(entropy, which)(z, y) if relative else 1)

        return line

    return [[of("__call__", 1), of("__call__", -1)], [of("grad", 1, True), of("grad", -1, True)]]


def huber_numbers(delta):
    loss = element(lossref.HuberLoss, delta=delta)
    return [delta, *(v for r in (1, 3) for v in (r, loss(float(r), 0.0), loss.grad(float(r), 0.0)))]


def huber_lines(delta):
    loss = element(lossref.HuberLoss, delta=delta)
    return [[lambda r: loss(r, 0 * r)], [lambda r: loss.grad(r, 0 * r)]]


def threshold_numbers(t):
    smooth, huber = element(lossref.SmoothL1Loss, beta=t), element(lossref.HuberLoss, delta=t)
    return [t, 3, *(v for of in (smooth, huber) for v in (of(3.0, 0.0), of.grad(9.0, 0.0), of.hess(0.01, 0.0)))]


def threshold_lines(t):
    smooth, huber = element(lossref.SmoothL1Loss, beta=t), element(lossref.HuberLoss, delta=t)
    return [[lambda r: smooth(r, 0 * r)], [lambda r: huber(r, 0 * r)]]


def squared(z, y):
    """sigmoid + squared error: value, gradient and curvature by the logit, the last two by small steps."""
    mse, h = element(lossref.MSELoss), 1e-4

    def value(z):
        return mse(sigmoid(z), np.full_like(z, y))

    z = np.asarray(z, dtype=float)
    return value(z), (value(z + h) - value(z - h)) / (2 * h), (value(z + h) - 2 * value(z) + value(z - h)) / h**2


def entropy(z, y):
    bce, z = element(lossref.BCEWithLogitsLoss), np.asarray(z, dtype=float)
    y = np.full_like(z, y)
    return bce(z, y), bce.grad(z, y), bce.hess(z, y)


def logit_lines(z, y):
    panels = []
    for order, (low, high) in enumerate([(0, 4), (-1, 1), (-0.2, 0.3)]):
        curves = [lambda x, of=of, order=order: of(x, y)[order] for of in (entropy, squared)]
        dots = [[(z, of(z, y)[order])] * 2 for of in (entropy, squared)]
        panels.append([[(z, low), (z, high)], *curves, *dots])
    return panels


def learnt(weight, rate):
    """The probability at which the expected loss is smallest, which is made sure of."""
    p = weight * rate / (weight * rate + 1 - rate)
    loss, z = element(lossref.BCEWithLogitsLoss, pos_weight=weight), logit(np.clip(p, 1e-9, 1 - 1e-9))
    up, down = (1 - rate) * loss.grad(z, 0 * z), rate * loss.grad(z, 0 * z + 1)
    np.testing.assert_allclose(up, -down, rtol=1e-9, atol=1e-7)
    return p


def weight_lines(weight, rate):
    p = learnt(weight, rate)
    return [[[(rate, 0), (rate, p), (0, p)], lambda x: learnt(weight, np.clip(x, 0, 1)), [(rate, p)] * 2]]


def smoothed(epsilon, classes):
    loss = element(lossref.CrossEntropyLoss, label_smoothing=epsilon)

    def line(lead):
        z = np.concatenate([np.reshape(lead, (-1, 1)), np.zeros((np.size(lead), classes - 1))], axis=1)
        return loss(z, np.zeros(len(z), dtype=int))

    return line


def lowest(epsilon, classes):
    if epsilon == 0:
        return math.inf, 0.0
    best = math.log(1 + classes * (1 - epsilon) / epsilon)
    line = smoothed(epsilon, classes)
    assert line(best) < min(line(best - 0.01), line(best + 0.01))
    return best, line(best).item()


def smoothing_lines(epsilon, classes):
    best, value = lowest(epsilon, classes)
    best = min(best, 99)
    return [[[(best, 0), (best, value)], smoothed(epsilon, classes), [(best, value)] * 2]]


STUDENT, TEACHER = np.array([2, 1, 0.1]), np.array([3, 0.5, -1])


def pull(T):
    """The gradient of KL(teacher ‖ student) at a temperature, by the student's logits."""
    loss, teacher, h = lossref.KLDivLoss(reduction="sum"), softmax(TEACHER / T), 1e-5

    def kl(student):
        return loss(np.log(softmax(student / T)), teacher)

    return np.array([kl(STUDENT + step) - kl(STUDENT - step) for step in h * np.eye(3)]) / (2 * h)


def temperature_numbers(T):
    teacher, student = softmax(TEACHER / T), softmax(STUDENT / T)
    kl, length = lossref.KLDivLoss(reduction="sum")(np.log(student), teacher), np.linalg.norm(pull(T))
    return [T, teacher.max(), student.max(), kl, T**2 * kl, length, T**2 * length]


def temperature_lines(T):
    def steps(heights):
        return list(zip((0.5, 1.5, 1.5, 2.5, 2.5, 3.5), np.repeat(heights, 2), strict=True))

    return [[steps(softmax(z / T)) for z in (TEACHER, STUDENT)], [steps(T**2 * pull(T)), steps(pull(T))]]


EXPLORERS = {
    "focal-loss": Expected(focal_numbers, focal_lines),
    "huber-family": Expected(huber_numbers, huber_lines, 5),
    "huber-beta": Expected(threshold_numbers, threshold_lines, 5),
    "mse-sigmoid": Expected(lambda z, y: [z, y, *entropy(z, y), *squared(z, y)], logit_lines, 4),
    "bce-pos-weight": Expected(lambda w, rate: [w, rate, learnt(w, rate), math.log(w)], weight_lines),
    "ce-smoothing": Expected(lambda e, c: [e, c, *lowest(e, c), 1 - e + e / c], smoothing_lines),
    "kl-softened": Expected(temperature_numbers, temperature_lines),
}


# ---- reading the page --------------------------------------------------------------------------

NUMBER = re.compile(r"(?<![A-Za-z])[−-]?\d+(?:\.\d+)?(?:/\d+)?%?|无穷")

READ = """(figure) => {
  const picture = figure.querySelector(".chart-image svg");
  const ticks = [...picture.querySelectorAll("text.lr-soft")];
  const place = (text, of) => [Number(text.getAttribute(of)), Number(text.textContent.replace("−", "-"))];
  const panels = [...picture.querySelectorAll("g[clip-path]")].map((group) => {
    const box = document.getElementById(group.getAttribute("clip-path").slice(5, -1)).firstElementChild;
    const [top, height] = ["y", "height"].map((of) => Number(box.getAttribute(of)));
    return {
      across: ticks.filter((text) => text.getAttribute("text-anchor") === "middle").map((text) => place(text, "x")),
      down: ticks.filter((text) => text.getAttribute("text-anchor") === "end").map((text) => place(text, "y"))
        .filter(([y]) => y > top && y < top + height + 5),
      lines: [...group.querySelectorAll(".lr-live")].map((line) => line.getAttribute("points")),
    };
  });
  return {
    values: [...figure.querySelectorAll("output")].map((output) => output.textContent),
    told: [...figure.querySelectorAll("input")].map((slider) => slider.getAttribute("aria-valuetext")),
    says: figure.querySelector("[role=status]").textContent,
    panels,
  };
}"""

SWEEP = f"""async (figure) => {{
  const read = {READ};
  const sliders = [...figure.querySelectorAll("input")];
  const shown = [];
  const visit = async (rest) => {{
    if (!rest.length) return shown.push(read(figure));
    for (let stop = 0; stop <= Number(rest[0].max); stop++) {{
      rest[0].value = stop;
      rest[0].dispatchEvent(new Event("input", {{ bubbles: true }}));
      await new Promise((done) => setTimeout(done));
      await visit(rest.slice(1));
    }}
  }};
  await visit(sliders);
  return shown;
}}"""


FETCHED = """async (figure) => {
  const from = new URL(figure.querySelector("template").dataset.from, location).href;
  figure.querySelector("input").focus();
  while (!performance.getEntriesByName(from).some((entry) => entry.responseEnd))
    await new Promise((done) => setTimeout(done, 10));
  await new Promise((done) => setTimeout(done, 50));
}"""


def value_of(text):
    """What a slider's stop means."""
    if text == "不用":
        return None
    number, _, over = text.replace("−", "-").partition("/")
    return float(number) / float(over or 1)


def assert_agrees(text, expected, count):
    """A number as written is the number, to the digits written."""
    if text == "无穷":
        assert math.isinf(expected)
        return
    assert not math.isinf(expected)
    shown = value_of(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    unit = 10 ** (math.floor(math.log10(abs(expected))) - count + 1) if expected else 1e-12
    assert abs(shown - expected) <= 0.51 * unit, f"{text} is shown, {expected!r} is true"


def assert_shows(shown, expected):
    """What stands on the page for a setting is what lossref computes for it."""
    stops = [value_of(text) for text in shown["values"]]
    assert shown["told"] == shown["values"]
    numbers, texts = [float(n) for n in expected.numbers(*map(as_argument, stops))], NUMBER.findall(shown["says"])
    assert len(texts) == len(numbers), shown["says"]
    for text, number in zip(texts, numbers, strict=True):
        assert_agrees(text, number, expected.count)
    for panel, lines in zip(shown["panels"], expected.lines(*map(as_argument, stops)), strict=True):
        across, down = scale(panel["across"]), scale([(y - 5, value) for y, value in panel["down"]])
        assert len(panel["lines"]) == len(lines)
        for drawn, line in zip(panel["lines"], lines, strict=True):
            points = np.array([[float(c) for c in point.split(",")] for point in drawn.split()])
            assert_drawn(points, line, across, down, stops)


def as_argument(stop):
    return int(stop) if stop is not None and stop >= 2 and stop == int(stop) else stop


def scale(ticks):
    """Pixels to numbers, read off the first and the last tick of an axis."""
    (a, x), (b, y) = min(ticks), max(ticks)
    return lambda pixels: x + (np.asarray(pixels) - a) / (b - a) * (y - x)


def assert_drawn(points, line, across, down, stops):
    """A line runs within a tenth of a pixel of where it should."""
    x, y = across(points[:, 0]), down(points[:, 1])
    dx, dy = (abs(axis(0.11) - axis(0)) for axis in (across, down))
    if callable(line):
        assert len(points) >= 3
        near = np.array([line(x + shift) for shift in (-dx, -dx / 2, 0, dx / 2, dx)])
        low, high = near.min(axis=0) - dy, near.max(axis=0) + dy
        assert ((low <= y) & (y <= high)).all(), (stops, x, y, near[2])
    else:
        right = np.array(line)
        np.testing.assert_allclose(x, right[:, 0], atol=dx, err_msg=str(stops))
        np.testing.assert_allclose(y, right[:, 1], atol=dy, err_msg=str(stops))


@pytest.fixture(scope="session")
def where(site):
    """The page on which each explorer stands."""
    found = {}
    for path in pages_of(site):
        text = (site / path / "index.html" if not path.endswith(".html") else site / path).read_text(encoding="utf-8")
        for name in re.findall(r'<figure class="chart explorer">.*?id="explorer-([\w-]+)-0"', text, re.DOTALL):
            assert found.setdefault(name, path) == path
    return found


def figure_of(page, name):
    """The figure, with its curves fetched if there are scripts to fetch them."""
    figure = page.locator("figure.explorer", has=page.locator(f"#explorer-{name}-0"))
    figure.scroll_into_view_if_needed()
    if figure.locator("input").first.is_visible():
        figure.evaluate(FETCHED)
    return figure


@pytest.fixture(scope="module", params=EXPLORERS)
def moving(request, where, open_window):
    """A dark window as wide as a phone with an explorer; the explorer; its name; what it shows at first."""
    window = open_window(width=360, dark=True)
    figure = figure_of(window.go(where[request.param]), request.param)
    yield window, figure, request.param, figure.evaluate(READ)
    window.page.context.close()


# ---- the tests ---------------------------------------------------------------------------------


def test_every_explorer_stands_on_a_page_and_is_tested(where):
    assert where.keys() == EXPLORERS.keys()
    carrying = {path.stem for path in FOLDER.glob("*.svg") if "<metadata>" in path.read_text(encoding="utf-8")}
    assert carrying == EXPLORERS.keys()


@browser_test
def test_every_setting_shows_what_lossref_computes(moving):
    window, figure, name, start = moving
    assert_shows(start, EXPLORERS[name])
    shown = figure.evaluate(SWEEP)
    stops = [figure.locator("input").nth(i).get_attribute("max") for i in range(figure.locator("input").count())]
    assert len(shown) == math.prod(int(last) + 1 for last in stops)
    assert len({tuple(setting["values"]) for setting in shown}) == len(shown)
    assert (start["values"], start["says"]) in [(setting["values"], setting["says"]) for setting in shown]
    for setting in shown:
        assert_shows(setting, EXPLORERS[name])
    assert window.complaints == []


@browser_test
def test_sliders_move_from_the_keyboard_and_nothing_else_moves(moving):
    window, figure, name, _ = moving
    height = figure.bounding_box()["height"]
    seen = set()
    for slider in figure.locator("input").all():
        slider.focus()
        # Home and End, a step back from the end, and a step by the other key for more.
        for keys in (["Home"], ["End"], ["ArrowLeft"], ["Home", "ArrowUp"]):
            for key in keys:
                window.page.keyboard.press(key)
            shown = figure.evaluate(READ)
            assert_shows(shown, EXPLORERS[name])
            seen.add(json.dumps(shown["panels"]))
            assert figure.bounding_box()["height"] == height
    assert len(seen) >= 3
    assert window.complaints == []


@browser_test
def test_a_changed_digit_or_a_bent_curve_would_be_noticed(where, visit):
    """The checks above can fail."""
    figure = figure_of(visit().go(where["focal-loss"]), "focal-loss")
    kept = figure.inner_html()
    for spoil in (
        'status.textContent = status.textContent.replace(/(\\d)%/, (_, digit) => `${(+digit + 1) % 10}%`)',
        'line.setAttribute("points", line.getAttribute("points").replace(/[\\d.]+$/, (y) => y - 0.4))',
        'figure.querySelector("output").textContent = "2.5"',
    ):
        figure.evaluate("(figure, kept) => { figure.innerHTML = kept; }", kept)
        assert_shows(figure.evaluate(READ), EXPLORERS["focal-loss"])
        figure.evaluate(f"""(figure) => {{
          const [status, line] = ["[role=status]", ".lr-live"].map((which) => figure.querySelector(which));
          {spoil};
        }}""")
        with pytest.raises(AssertionError):
            assert_shows(figure.evaluate(READ), EXPLORERS["focal-loss"])


@browser_test
def test_a_finger_moves_a_slider(where, visit):
    page = visit(width=390, has_touch=True).go(where["huber-family"])
    slider = figure_of(page, "huber-family").locator("input")
    box = slider.bounding_box()
    assert box["height"] >= 40
    page.touchscreen.tap(box["x"] + box["width"] - 12, box["y"] + box["height"] / 2)
    assert slider.input_value() == slider.get_attribute("max")
    assert_shows(figure_of(page, "huber-family").evaluate(READ), EXPLORERS["huber-family"])


def parts_of(text, name):
    """What stands below a picture: controls, table and curves."""
    parts = re.findall('<div class="explorer-parts".*?</template>', text)
    return next(part for part in parts if f'"explorer-{name}-0"' in part)


def curves_of(site, path, part):
    return (site / path / re.search('data-from="(.*?)"', part)[1]).read_text(encoding="utf-8")


def seen(figure, selector):
    return figure.locator(selector).evaluate_all("(all) => all.filter((one) => one.checkVisibility()).length")


def colours(figure):
    still = figure.locator(".chart-image .lr-line:not(.lr-live)")
    return still.evaluate_all("(lines) => lines.map((line) => getComputedStyle(line).stroke)")


@browser_test
def test_without_scripts_and_in_print_it_is_the_still_figure(moving, where, visit):
    window, figure, name, _ = moving
    plain = figure_of(visit(width=360, scripts=False).go(where[name]), name)
    assert seen(plain, ".lr-live, .explorer-controls") == 0
    assert seen(plain, ".lr-line") >= 2
    assert len(set(colours(plain))) >= 2

    assert seen(figure, ".explorer-controls") == 1
    assert seen(figure, ".chart-image .lr-live") >= 2
    assert len(set(colours(figure))) == 1, "the still curves step back"
    window.page.emulate_media(media="print")
    assert seen(figure, ".lr-live, .explorer-parts") == 0
    assert colours(figure) == colours(plain)
    quiet = figure.locator("text.lr-soft").first.evaluate("(text) => getComputedStyle(text).fill")
    assert max(map(int, re.findall(r"\d+", quiet))) < 100, "printed from the dark palette, it is still ink on paper"
    window.page.emulate_media(media="screen")

    for one in (plain, figure):  # The table needs no script, and fits a phone.
        one.locator("summary").click()
        assert seen(one, "table") == 1
        assert one.page.evaluate(OVERFLOW) <= 0


@pytest.mark.parametrize("name", EXPLORERS)
def test_table_holds_every_setting(site, where, name):
    text = (site / where[name] / "index.html").read_text(encoding="utf-8")
    part = parts_of(text, name)
    body = re.search("<tbody>(.*?)</tbody>", part)[1]
    rows = [re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("</tr>")[:-1]]
    for cells in rows:
        stops = [value_of(cell) for cell in cells[: part.count("<input")]]
        true = [float(n) for n in EXPLORERS[name].numbers(*map(as_argument, stops))]
        for cell in cells[len(stops) :]:
            assert any(agrees(cell, number, EXPLORERS[name].count) for number in true), (stops, cell)
    assert len(rows) == len(json.loads(curves_of(site, where[name], part))["lines"])


def agrees(text, expected, count):
    try:
        assert_agrees(text, expected, count)
    except AssertionError:
        return False
    return True


@browser_test
def test_explorers_are_accessible(where, visit):
    # They are made alike: one with two sliders.
    window = visit(width=360)
    page = window.go(where["focal-loss"])
    page.locator("figure.explorer summary").click()
    for scheme in ("light", "dark"):
        window.wear(scheme)
        assert axe(page, "figure.explorer") == [], scheme


@browser_test
def test_moving_curves_are_the_colours_of_the_palette(where, visit):
    window = visit()
    figure = figure_of(window.go(where["huber-family"]), "huber-family")

    def stroke(scheme):
        window.wear(scheme)
        line = figure.locator(".chart-image .lr-live").first.evaluate("(line) => getComputedStyle(line).stroke")
        swatch = figure.locator(".explorer-legend path").evaluate("(line) => getComputedStyle(line).stroke")
        assert line == swatch
        return sum(map(int, re.findall(r"\d+", line)))

    assert stroke("light") < 350 < stroke("dark")


@browser_test
def test_explorers_work_after_instant_navigation_and_start_anew_when_loaded_again(where, visit):
    window = visit()
    page = window.go("")
    page.evaluate("window.sameDocument = true")
    page.locator(f"article a[href*='{where['focal-loss']}']").first.click()
    page.wait_for_selector("figure.explorer")
    assert page.evaluate("window.sameDocument"), "the page was loaded anew"
    figure = figure_of(page, "focal-loss")
    start = figure.evaluate(READ)
    figure.locator("input").first.press("End")
    assert figure.evaluate(READ) != start
    assert_shows(figure.evaluate(READ), EXPLORERS["focal-loss"])
    window.go(where["huber-family"])
    page.go_back()
    assert figure_of(page, "focal-loss").evaluate(READ) == start
    assert figure.locator("input").first.input_value() == figure.locator("input").first.get_attribute("value")
    assert window.complaints == []


@browser_test
def test_slow_and_missing_curves_leave_picture_and_sentence_in_step(where, visit):
    window = visit()
    page = window.page
    waiting = []
    page.route("**/assets/curves/*.json", lambda request: waiting.append(request))
    figure = window.go(where["huber-family"]).locator("figure.explorer").first
    start, slider = figure.evaluate(READ), figure.locator("input")
    slider.press("End")
    slider.press("ArrowLeft")
    page.wait_for_timeout(100)
    shown = figure.evaluate(READ)
    assert shown["values"] != start["values"]
    assert (shown["says"], shown["panels"]) == (start["says"], start["panels"])
    assert len(waiting) == 1
    waiting.pop().abort()
    page.wait_for_timeout(100)
    assert figure.evaluate(READ) == shown
    page.unroute("**/assets/curves/*.json")
    slider.press("ArrowLeft")
    figure.evaluate(FETCHED)
    assert_shows(figure.evaluate(READ), EXPLORERS["huber-family"])


def test_explorers_are_light(site, where):
    script = (ROOT / "docs/assets/javascripts/explorer.js").read_bytes()
    assert len(gzip.compress(script)) <= 4000
    for name, path in where.items():
        text = (site / path / "index.html").read_text(encoding="utf-8")
        part = parts_of(text, name)
        assert len(gzip.compress(part.encode())) <= 2500, name
        assert len(gzip.compress((part + curves_of(site, path, part)).encode())) <= 6000, name


def test_coordinates_survive_their_coding():
    values = np.array([3340, 3340, -12, 0, 7, 7, 7, 32900])
    assert decode(encode(values)).tolist() == values.tolist()
    assert decode(encode(np.array([5]))).tolist() == [5]


def test_comparison_of_figures_looks_into_what_an_explorer_carries():
    drawn = FIGURES["huber-family"]()
    pool = re.search(r'"pool":\["([^"]*)"', drawn)[1]

    def moved(by):
        values = decode(pool)
        values[3] += by
        return drawn.replace(pool, encode(values))

    assert not differs(drawn, moved(1))  # rounded the other way
    assert differs(drawn, moved(2))
    assert differs(drawn, drawn.replace('"2.5"', '"2.4"', 1))
    assert differs(drawn, drawn.replace("Huber 的损失 {", "Huber 的梯度 {"))


@pytest.mark.parametrize(
    ("value", "count", "text"),
    [(0.000123456, 3, "0.000123"), (1234.5, 3, "1230"), (1, 4, "1.000"), (-0.99966, 4, "-0.9997"), (0.0, 3, "0")],
)
def test_digits_are_significant_and_without_exponent(value, count, text):
    assert digits(value, count) == text
