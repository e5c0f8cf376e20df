// A demo account is one click away. The names are on the page only while DEBUG is on.
const form = document.getElementById("login");

for (const button of document.querySelectorAll("[data-demo]")) {
  button.addEventListener("click", () => {
    form.elements.username.value = button.dataset.demo;
    form.elements.password.value = "demo";
    form.requestSubmit();
  });
}
