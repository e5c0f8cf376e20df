from django.contrib.auth.views import LogoutView
from django.urls import path

from accounts.views import Login, Password

app_name = "accounts"

urlpatterns = [
    path("login/", Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", Password.as_view(), name="password"),
]
