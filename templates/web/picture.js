// The page of a picture: a file is uploaded as soon as it is chosen or dropped, and a click on the picture
// moves the centre of its crops. Without this file the buttons and sliders do the same.

const form = document.querySelector("[data-picture]");
const drop = form.querySelector("[data-drop]");
const chooser = drop.querySelector("input");
const upload = drop.querySelector("[data-upload]");
upload.hidden = true;

const send = () => {
  if (!chooser.files.length) return;
  document.body.classList.add("busy");
  form.requestSubmit(upload);
};
chooser.addEventListener("change", send);
for (const type of ["dragenter", "dragover"]) {
  drop.addEventListener(type, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const type of ["dragleave", "drop"]) drop.addEventListener(type, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (!event.dataTransfer.files.length) return;
  chooser.files = event.dataTransfer.files;
  send();
});

const focus = form.querySelector("[data-focus]");
if (focus) {
  const point = focus.querySelector(".point");
  const crops = form.querySelector("[data-crops]");
  const [x, y] = ["x", "y"].map((axis) => form.querySelector(`#focus-${axis}`));
  let timer;
  const show = () => {
    point.style.left = `${x.value}%`;
    point.style.top = `${y.value}%`;
    clearTimeout(timer);
    timer = setTimeout(() => {
      for (const image of crops.querySelectorAll("[data-shape]")) {
        image.src = `${crops.dataset.crops}?size=view&shape=${image.dataset.shape}&focus=${x.value}-${y.value}`;
      }
    }, 120);
  };
  point.style.left = `${x.value}%`;
  point.style.top = `${y.value}%`;
  for (const slider of [x, y]) slider.addEventListener("input", show);
  focus.addEventListener("click", (event) => {
    const box = focus.querySelector("img").getBoundingClientRect();
    x.value = Math.round(100 * (event.clientX - box.left) / box.width);
    y.value = Math.round(100 * (event.clientY - box.top) / box.height);
    show();
  });
}
