"""Lists as other programs export them, and as people keep them, each with what must come of it.

The content is invented; the columns are those of the programs.
"""
# ruff: noqa: E501 - a row of a file is easier to read on one line

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ExportedList:
    """A file. ``active`` are those who get mail: their name, organisation, country, language and tags. ``left``
    are those who do not, with the reason; ``refused`` are the numbers of refused rows.
    """

    file: str
    what: str
    text: str
    active: dict[str, tuple[str, str, str, str, str]]
    left: dict[str, str] = field(default_factory=dict)
    refused: tuple[int, ...] = ()


def who(
    name: str = "", organisation: str = "", country: str = "", language: str = "", tags: str = ""
) -> tuple[str, str, str, str, str]:
    return name, organisation, country, language, tags


def outlook(titles: str, *people: dict[int, str]) -> str:
    """Outlook's 92 columns: ``titles`` are the first six, the address and its kind, and "Categories"."""
    first, kinds, categories = (part.split(",") for part in titles.split("|"))
    header = [*first, *(f"F{number}" for number in range(6, 92))]
    header[57], header[58] = kinds
    header[54] = categories[0]
    rows = [[person.get(place, "") for place in range(92)] for person in people]
    return "".join(",".join(f'"{cell}"' for cell in row) + "\r\n" for row in (header, *rows))


OUTLOOK_PEOPLE = (
    {1: "Ulla", 3: "Roth", 5: "Amt", 14: "DE", 49: "0/0/00", 54: "Presse;Partner", 57: "ulla@r.example.org", 58: "SMTP"},
    {1: "Udo", 5: "Amt", 57: "/o=Firm/ou=Group/cn=Recipients/cn=udo", 58: "EX"},
    {1: "Ute", 3: "Alt", 57: "ute@r.example.org", 58: "SMTP", 21: "AT"},
)  # fmt: skip
OUTLOOK_ACTIVE = {
    "ulla@r.example.org": who("Ulla Roth", "Amt", "DE", "", "partner;presse"),
    "ute@r.example.org": who("Ute Alt", "", "AT"),
}

LISTS = (
    ExportedList(
        file="google-contacts-old.csv", what="Google Contacts before 2024: labels between `:::`, two addresses",
        text="Name,Given Name,Additional Name,Family Name,Group Membership,E-mail 1 - Type,E-mail 1 - Value,"
        "E-mail 2 - Type,E-mail 2 - Value,Organization 1 - Name,Address 1 - Country\n"
        "Ann Li,Ann,,Li,* myContacts ::: Press,* Work,ann@g.example.org,,,Institute,Mongolia\n"
        "Bo,Bo,,,* myContacts,,,Home,bo@g.example.org,,\n",
        active={"ann@g.example.org": who("Ann Li", "Institute", "MN", "", "press"), "bo@g.example.org": who("Bo")},
    ),
    ExportedList(
        file="google-contacts.csv", what="Google Contacts since 2024",
        text="First Name,Middle Name,Last Name,Phonetic First Name,Nickname,Organization Name,Organization Title,"
        "Labels,E-mail 1 - Label,E-mail 1 - Value,Address 1 - Country\n"
        "Ann,May,Li,,Annie,Institute,Dean,Press ::: * starred,* Work,ann@g.example.org,Japan\n"
        "No,,Mail,,,,,* myContacts,,,\n",
        active={"ann@g.example.org": who("Ann May Li", "Institute", "JP", "", "press")}, refused=(3,),
    ),
    ExportedList(
        file="outlook-english.csv", what="Outlook's 92 columns; a mailbox inside Exchange is no address",
        text=outlook("Title,First Name,Middle Name,Last Name,Suffix,Company|E-mail Address,E-mail Type|Categories",
                     *OUTLOOK_PEOPLE),
        active=OUTLOOK_ACTIVE, refused=(3,),
    ),
    ExportedList(
        file="outlook-german.csv", what="the same from a German Outlook",
        text=outlook("Anrede,Vorname,Weitere Vornamen,Nachname,Suffix,Firma|E-Mail-Adresse,E-Mail-Typ|Kategorien",
                     *OUTLOOK_PEOPLE),
        active=OUTLOOK_ACTIVE, refused=(3,),
    ),
    ExportedList(
        file="outlook-french.csv", what="the same from a French Outlook",
        text=outlook("Titre,Prénom,Deuxième prénom,Nom,Suffixe,Société|Adresse de messagerie,Type de messagerie|"
                     "Catégories", *OUTLOOK_PEOPLE),
        active=OUTLOOK_ACTIVE, refused=(3,),
    ),
    ExportedList(
        file="outlook-russian.csv", what="the same from a Russian Outlook",
        text=outlook("Обращение,Имя,Отчество,Фамилия,Суффикс,Организация|Адрес эл. почты,Тип эл. почты|Категории",
                     *OUTLOOK_PEOPLE),
        active=OUTLOOK_ACTIVE, refused=(3,),
    ),
    ExportedList(
        file="outlook-chinese.csv", what="the same from a Chinese Outlook",
        text=outlook("称谓,名,中间名,姓,后缀,公司|电子邮件地址,电子邮件类型|类别", *OUTLOOK_PEOPLE),
        active=OUTLOOK_ACTIVE, refused=(3,),
    ),
    ExportedList(
        file="brevo-blocklisted.csv", what="Brevo: blocklisted, and never confirmed",
        text="EMAIL;LASTNAME;FIRSTNAME;SMS_BLACKLISTED;EMAIL_BLACKLISTED;DOUBLE_OPT-IN;LANGUAGE\n"
        "ann@b.example.org;Li;Ann;Yes;No;Yes;French\nbob@b.example.org;Li;Bob;No;Yes;Yes;\n"
        "cy@b.example.org;Li;Cy;No;No;No;\ndi@b.example.org;Li;Di;No;No;;\n",
        active={"ann@b.example.org": who("Ann Li", "", "", "fr"), "di@b.example.org": who("Di Li")},
        left={"bob@b.example.org": "suppressed"}, refused=(4,),
    ),
    ExportedList(
        file="ghost.csv", what="Ghost: subscribed to no newsletter, and a member who was deleted",
        text="id,email,name,note,subscribed_to_emails,complimentary_plan,created_at,deleted_at,labels\n"
        '1,ann@h.example.org,Ann Li,,true,false,2024-03-01T09:30:00.000Z,,"VIP, Press"\n'
        "2,bob@h.example.org,Bob,,false,false,2024-03-02T09:30:00.000Z,,\n"
        "3,cy@h.example.org,Cy,,true,false,2024-03-02T09:30:00.000Z,2025-01-01T00:00:00.000Z,\n",
        active={"ann@h.example.org": who("Ann Li", tags="press;vip")},
        left={"bob@h.example.org": "unsubscribed", "cy@h.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="substack.csv", what="Substack: no paid subscription is no reason, mail switched off is",
        text="email,active_subscription,expiry,email_disabled,digest_enabled,created_at\n"
        "ann@s.example.org,false,,false,false,2024-01-01T00:00:00Z\n"
        "bob@s.example.org,true,2030-01-01,true,false,2024-01-01T00:00:00Z\n",
        active={"ann@s.example.org": who()}, left={"bob@s.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="substack-new.csv", what="Substack's longer export, with the end of a paid plan",
        text="Email,Name,Stripe plan,Cancel date,Start date,Emails received (6mo),Type,Country\n"
        "ann@s.example.org,Ann,yearly,2024-05-05,2023-05-05,1,Paid,KR\n",
        active={"ann@s.example.org": who("Ann", "", "KR")},
    ),
    ExportedList(
        file="hubspot.csv", what="HubSpot: unsubscribed from all mail, hard bounces; a lead's status is another thing",
        text="Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Associated Company,Lead Status,"
        "Marketing contact status,Unsubscribed from all email,Email hard bounce reason,Create Date\n"
        "1,Ann,Li,ann@u.example.org,,Own Er,Institute,Open deal,Non-marketing contact,,,2024-01-01\n"
        "2,Bob,Li,bob@u.example.org,,Own Er,Institute,Unqualified,Marketing contact,Yes,,2024-01-01\n"
        "3,Cy,Li,cy@u.example.org,,Own Er,Institute,,Marketing contact,No,UNKNOWN_USER,2024-01-01\n",
        active={"ann@u.example.org": who("Ann Li", "Institute")},
        left={"bob@u.example.org": "unsubscribed", "cy@u.example.org": "bounced"},
    ),
    ExportedList(
        file="kit.csv", what="Kit: cancelled, bounced, complained",
        text='email,first_name,status,created_at,tags\nann@k.example.org,Ann,active,2024-01-01,"Press, VIP"\n'
        "bob@k.example.org,Bob,cancelled,2024-01-01,\ncy@k.example.org,Cy,bounced,,\ndi@k.example.org,Di,complained,,\n",
        active={"ann@k.example.org": who("Ann", tags="press;vip")},
        left={"bob@k.example.org": "unsubscribed", "cy@k.example.org": "bounced", "di@k.example.org": "complained"},
    ),
    ExportedList(
        file="klaviyo.csv", what="Klaviyo: consent to mail counts, consent to text messages does not",
        text="Email,Klaviyo ID,First Name,Last Name,Organization,Title,Country,Email Marketing Consent,"
        "SMS Marketing Consent,Email Suppressions\n"
        "ann@y.example.org,1,Ann,Li,Institute,Dr,Mongolia,SUBSCRIBED,UNSUBSCRIBED,[]\n"
        "bob@y.example.org,2,Bob,Li,,,,UNSUBSCRIBED,,[]\ncy@y.example.org,3,Cy,Li,,,,NEVER_SUBSCRIBED,,\n"
        "di@y.example.org,4,Di,Li,,,,SUBSCRIBED,,['HARD_BOUNCE']\n",
        active={"ann@y.example.org": who("Ann Li", "Institute", "MN")},
        left={"bob@y.example.org": "unsubscribed", "di@y.example.org": "bounced"}, refused=(4,),
    ),
    ExportedList(
        file="mailerlite-classic.csv", what="MailerLite classic: the address under Subscriber, a date under Subscribed",
        text="Subscriber,Sent,Opens,Clicks,Subscribed,Unsubscribed,Location,Name,Last name,Company,Country\n"
        "ann@l.example.org,3,1,0,2024-01-01 10:00:00,,,Ann,Li,Institute,Mongolia\n"
        "bob@l.example.org,3,1,0,2024-01-01 10:00:00,2024-02-02 10:00:00,,Bob,Li,,\n",
        active={"ann@l.example.org": who("Ann Li", "Institute", "MN")}, left={"bob@l.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="mailerlite.csv", what="MailerLite today: unconfirmed people are refused, junk complained",
        text="Email,Name,Last name,Company,Country,Status,Subscribed\nann@l.example.org,Ann,Li,,,Active,2024-01-01\n"
        "bob@l.example.org,Bob,,,,Unconfirmed,\ncy@l.example.org,Cy,,,,Junk,2024-01-01\n",
        active={"ann@l.example.org": who("Ann Li")}, left={"cy@l.example.org": "complained"}, refused=(3,),
    ),
    ExportedList(
        file="activecampaign-2.csv", what="ActiveCampaign: four kinds of status, tags between commas",
        text='Email,First Name,Last Name,Phone,Tags,Date Created,IP,Status\nann@a.example.org,Ann,Li,,"press, vip",'
        "2024-01-01,192.0.2.1,Active\nbob@a.example.org,Bob,,,,2024-01-01,,Unsubscribed\n"
        "cy@a.example.org,Cy,,,,2024-01-01,,Bounced\ndi@a.example.org,Di,,,,2024-01-01,,Unconfirmed\n",
        active={"ann@a.example.org": who("Ann Li", tags="press;vip")},
        left={"bob@a.example.org": "unsubscribed", "cy@a.example.org": "bounced"}, refused=(5,),
    ),
    ExportedList(
        file="campaign-monitor.csv", what="Campaign Monitor: Mailchimp's title of the address, and a status",
        text="Email Address,Name,Status,Unsubscribed Date,Bounced Date\nann@c.example.org,Ann Li,Active,,\n"
        "bob@c.example.org,Bob,Unsubscribed,2024-01-01,\ncy@c.example.org,Cy,Bounced,,2024-01-01\n"
        "di@c.example.org,Di,Deleted,,\n",
        active={"ann@c.example.org": who("Ann Li")},
        left={"bob@c.example.org": "unsubscribed", "cy@c.example.org": "bounced", "di@c.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="civicrm-api.csv", what="CiviCRM by its interface: names of fields instead of titles",
        text="id,contact_type,first_name,last_name,display_name,email,on_hold,do_not_email,do_not_mail,is_opt_out,"
        "current_employer,country,preferred_language\n"
        "1,Individual,Ann,Li,Ann Li,ann@v.example.org,0,0,1,0,Institute,Mongolia,fr_FR\n"
        "2,Individual,Bob,Li,Bob Li,bob@v.example.org,2,0,0,0,,,\n3,Individual,Cy,Li,Cy Li,cy@v.example.org,0,1,0,0,,,\n"
        "4,Individual,Di,Li,Di Li,di@v.example.org,0,0,0,1,,,\n5,Organization,,,Club,club@v.example.org,0,0,0,0,,,\n",
        active={"ann@v.example.org": who("Ann Li", "Institute", "MN", "fr-FR"), "club@v.example.org": who("Club")},
        left={f"{name}@v.example.org": "unsubscribed" for name in ("bob", "cy", "di")},
    ),
    ExportedList(
        file="phplist-old.csv", what="phpList's short titles: confirmed, blacklisted",
        text="id,email,confirmed,blacklisted,optedin,bouncecount,htmlemail,name\n1,ann@p.example.org,1,0,0,3,1,Ann\n"
        "2,bob@p.example.org,0,0,0,0,1,Bob\n3,cy@p.example.org,1,1,0,0,1,Cy\n",
        active={"ann@p.example.org": who("Ann")}, left={"cy@p.example.org": "suppressed"}, refused=(3,),
    ),
    ExportedList(
        file="shopify.csv", what="Shopify: who does not accept mail gets none",
        text="First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address Country Code,"
        'Accepts SMS Marketing,Total Spent,Tags,Tax Exempt\nAnn,Li,ann@f.example.org,yes,Institute,MN,no,0.00,"a, b",no\n'
        "Bob,Li,bob@f.example.org,no,,,yes,0.00,,no\n",
        active={"ann@f.example.org": who("Ann Li", "Institute", "MN", "", "a;b")},
        left={"bob@f.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="eventbrite.csv", what="Eventbrite: the participant's address and not the buyer's",
        text="Order #,Order Date,First Name,Last Name,Email,Quantity,Ticket Type,Attendee #,Attendee Status,Buyer Email,"
        "Company\n1,2024-01-01,Ann,Li,ann@e.example.org,1,General,1,Attending,pay@e.example.org,Institute\n"
        "2,2024-01-01,Bob,Li,bob@e.example.org,1,General,2,Not Attending,pay@e.example.org,\n",
        active={"ann@e.example.org": who("Ann Li", "Institute")}, refused=(3,),
    ),
    ExportedList(
        file="google-form.csv", what="answers to a Google Form, whose titles are questions",
        text="Timestamp,What is your name?,What is your email address?,Which organisation do you represent?,"
        "In which country do you work?,Would you like to receive our newsletter?\n"
        '2024/01/02 10:00:00,Ann Li,ann@o.example.org,Institute,Mongolia,"Yes, please"\n'
        '2024/01/02 10:00:00,Bob,bob@o.example.org,Institute,China,"No, thank you"\n',
        active={"ann@o.example.org": who("Ann Li", "Institute", "MN")}, left={"bob@o.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="google-form-tick.csv", what="a form with a box to tick: who did not tick it did not agree",
        text="Horodateur,Votre nom,Adresse e-mail,Je souhaite recevoir la lettre d'information\n"
        "02/01/2024 10:00:00,Ann,ann@o.example.org,Oui\n02/01/2024 10:00:00,Bob,bob@o.example.org,\n",
        active={"ann@o.example.org": who("Ann")}, refused=(3,),
    ),
    ExportedList(
        file="google-form-japanese.csv", what="a Japanese form",
        text="タイムスタンプ,メールアドレス,お名前,ご所属,ニュースレターの配信を希望しますか\n"
        "2024/01/02 10:00:00,ann@o.example.org,山田花,大学,はい\n2024/01/02 10:00:00,bob@o.example.org,鈴木一,大学,いいえ\n",
        active={"ann@o.example.org": who("山田花", "大学")}, left={"bob@o.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="typeform.csv", what="Typeform: 1 for yes, 0 for no",
        text='#,What\'s your *email*?,"First, what\'s your name?",Do you agree to get our mails?,Start Date (UTC),'
        "Submit Date (UTC),Network ID,Tags\nx1,ann@t.example.org,Ann,1,2024-01-01,2024-01-01,n1,\n"
        "x2,bob@t.example.org,Bob,0,2024-01-01,2024-01-01,n2,\n",
        active={"ann@t.example.org": who("Ann")}, left={"bob@t.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="beehiiv.csv", what="Beehiiv: inactive people left, pending ones have not confirmed",
        text="email,status,subscription_tier,created_at,utm_source\nann@i.example.org,active,free,2024-01-01,\n"
        "bob@i.example.org,inactive,premium,2024-01-01,\ncy@i.example.org,pending,free,2024-01-01,\n",
        active={"ann@i.example.org": who()}, left={"bob@i.example.org": "unsubscribed"}, refused=(4,),
    ),
    ExportedList(
        file="constant-contact.csv", what="Constant Contact: two columns of status and a date",
        text="Email address,First name,Last name,Company,Country,Email status,Email permission status,"
        "Confirmed Opt-Out Date\nann@n.example.org,Ann,Li,Institute,Mongolia,Active,Express,\n"
        "bob@n.example.org,Bob,Li,,,Unsubscribed,Unsubscribed,2024-01-01\n",
        active={"ann@n.example.org": who("Ann Li", "Institute", "MN")}, left={"bob@n.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="salesforce.csv", what="Salesforce: names of fields, opted out and bounced",
        text="Id,FirstName,LastName,Email,HasOptedOutOfEmail,IsEmailBounced,EmailBouncedDate,MailingCountry,Account.Name\n"
        "1,Ann,Li,ann@w.example.org,false,false,,Mongolia,Institute\n2,Bob,Li,bob@w.example.org,TRUE,false,,,\n"
        "3,Cy,Li,cy@w.example.org,false,true,2024-01-01T00:00:00Z,,\n",
        active={"ann@w.example.org": who("Ann Li", "Institute", "MN")},
        left={"bob@w.example.org": "unsubscribed", "cy@w.example.org": "bounced"},
    ),
    ExportedList(
        file="zoho.csv", what="Zoho: Email Opt Out, and an owner who is somebody else",
        text="Record Id,Contact Owner,First Name,Last Name,Email,Account Name,Email Opt Out,Mailing Country\n"
        "1,Own Er,Ann,Li,ann@z.example.org,Institute,false,Mongolia\n2,Own Er,Bob,Li,bob@z.example.org,,true,\n",
        active={"ann@z.example.org": who("Ann Li", "Institute", "MN")}, left={"bob@z.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="mautic.csv", what="Mautic: a locale for a language, do not contact",
        text="id,firstname,lastname,email,points,company,country,preferred_locale,do_not_contact\n"
        "1,Ann,Li,ann@m.example.org,0,Institute,Mongolia,zh_CN,\n2,Bob,Li,bob@m.example.org,5,,,,1\n",
        active={"ann@m.example.org": who("Ann Li", "Institute", "MN", "zh-CN")},
        left={"bob@m.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="aweber.csv", what="AWeber: when and how somebody stopped",
        text="Email,Name,IP Address,Ad Tracking,Date Added,Message,Status,Stop Time,Stop Status\n"
        "ann@q.example.org,Ann,192.0.2.1,,2024-01-01,1,Subscribed,,\n"
        "bob@q.example.org,Bob,192.0.2.2,,2024-01-01,1,Unsubscribed,2024-05-05,unsubscribed\n",
        active={"ann@q.example.org": who("Ann")}, left={"bob@q.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="mailjet.csv", what="Mailjet: excluded, pending, complaining",
        text="Email,Name,IsExcludedFromCampaigns,IsOptInPending,IsSpamComplaining,CreatedAt\n"
        "ann@j.example.org,Ann,false,false,false,2024-01-01\nbob@j.example.org,Bob,true,false,false,2024-01-01\n"
        "cy@j.example.org,Cy,false,false,true,2024-01-01\ndi@j.example.org,Di,false,true,false,2024-01-01\n",
        active={"ann@j.example.org": who("Ann")},
        left={"bob@j.example.org": "unsubscribed", "cy@j.example.org": "complained"}, refused=(5,),
    ),
    ExportedList(
        file="getresponse.csv", what="GetResponse",
        text="email,name,campaign,created_on,origin,status\nann@r.example.org,Ann,list,2024-01-01,import,active\n"
        "bob@r.example.org,Bob,list,2024-01-01,import,unsubscribed\n",
        active={"ann@r.example.org": who("Ann")}, left={"bob@r.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="german.csv", what="a German list: Name beside Vorname is the family's; a date of leaving",
        text="Anrede;Vorname;Name;Firma;E-Mail-Adresse;Land;Sprache;Abgemeldet am\n"
        "Frau;Anna;Groß;Amt;anna@d.example.org;DE;Deutsch;\nHerr;Bert;Klein;Amt;bert@d.example.org;DE;;12.03.2024\n"
        "Frau;Cora;Kurz;;cora@d.example.org;DE;;00.00.0000\n",
        active={"anna@d.example.org": who("Anna Groß", "Amt", "DE", "de"), "cora@d.example.org": who("Cora Kurz", "", "DE")},
        left={"bert@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="french.csv", what="a French list: Nom beside Prénom, désinscrit yes or no",
        text="Civilité;Nom;Prénom;Organisme;Courriel;Pays;Désinscrit\nMme;Dupré;Anne;Ministère;anne@d.example.org;France;non\n"
        "M.;Petit;Paul;;paul@d.example.org;France;Oui\n",
        active={"anne@d.example.org": who("Anne Dupré", "Ministère", "FR")}, left={"paul@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="spanish.csv", what="a Spanish list, whose Estado is a status",
        text="Nombre,Apellidos,Correo electrónico,Institución,País,Estado\nAna,Gil,ana@d.example.org,Museo,España,Activo\n"
        "Pepe,Gil,pepe@d.example.org,Museo,España,Baja\n",
        active={"ana@d.example.org": who("Ana Gil", "Museo", "ES")}, left={"pepe@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="american.csv", what="a list with states of a country, which are no status",
        text="First Name,Last Name,Company,E-Mail,City,State,Country\nAnn,Li,Institute,ann@d.example.org,Salem,OR,US\n"
        "Bob,Li,Institute,bob@d.example.org,Tulsa,OK,US\n",
        active={f"{name}@d.example.org": who(f"{name.title()} Li", "Institute", "US") for name in ("ann", "bob")},
    ),
    ExportedList(
        file="russian.csv", what="a Russian list with patronymics and consent",
        text="Фамилия;Имя;Отчество;Электронная почта;Организация;Страна;Согласие на рассылку\n"
        "Иванова;Анна;Петровна;anna@d.example.org;Музей;RU;Да\nПетров;Пётр;;petr@d.example.org;;RU;Нет\n",
        active={"anna@d.example.org": who("Анна Петровна Иванова", "Музей", "RU")},
        left={"petr@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="chinese.csv", what="a Chinese list: the family's name first, without a space",
        text="姓,名,电子邮箱,单位,国家,订阅状态\n陈,晓明,chen@d.example.org,博物馆,中国,已订阅\n李,娜,li@d.example.org,博物馆,中国,已退订\n",
        active={"chen@d.example.org": who("陈晓明", "博物馆", "CN")}, left={"li@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="japanese.csv", what="a Japanese list with a day on which delivery stopped",
        text="氏名,フリガナ,所属機関,メールアドレス,国,配信停止日\n山田 花,ヤマダ ハナ,大学,hana@d.example.org,日本,\n"
        "佐藤 一,サトウ ハジメ,大学,hajime@d.example.org,日本,2024年3月1日\n",
        active={"hana@d.example.org": who("山田 花", "大学", "JP")}, left={"hajime@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="korean.csv", what="a Korean list with consent to mail and to text messages",
        text="성명,소속,이메일,국가,수신동의,문자 수신동의\n김하나,대학,kim@d.example.org,대한민국,Y,N\n이두리,대학,lee@d.example.org,대한민국,N,Y\n",
        active={"kim@d.example.org": who("김하나", "대학", "KR")}, left={"lee@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="mongolian.csv", what="a Mongolian list",
        text="Овог,Нэр,И-мэйл,Байгууллага,Улс,Төлөв\nБат,Оюун,oyun@d.example.org,Музей,Монгол,Идэвхтэй\n"
        "Дорж,Бат,bat@d.example.org,,Монгол,Цуцалсан\n",
        active={"oyun@d.example.org": who("Оюун Бат", "Музей", "MN")}, left={"bat@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="arabic.csv", what="an Arabic list",
        text="الاسم,البريد الإلكتروني,الدولة,الحالة\nسارة,sara@d.example.org,مصر,نشط\nعلي,ali@d.example.org,مصر,ألغى الاشتراك\n",
        active={"sara@d.example.org": who("سارة", "", "EG")}, left={"ali@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="swedish.csv", what="a Swedish list",
        text="Förnamn;Efternamn;E-postadress;Företag;Land;Avregistrerad\nBritt;Berg;britt@d.example.org;Bolag;SE;\n"
        "Olle;Orm;olle@d.example.org;Bolag;SE;2024-01-01\n",
        active={"britt@d.example.org": who("Britt Berg", "Bolag", "SE")}, left={"olle@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="italian.csv", what="an Italian list",
        text="Nome;Cognome;Indirizzo email;Azienda;Paese;Stato\nAda;Riva;ada@d.example.org;Museo;IT;Iscritto\n"
        "Ugo;Riva;ugo@d.example.org;Museo;IT;Disiscritto\n",
        active={"ada@d.example.org": who("Ada Riva", "Museo", "IT")}, left={"ugo@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="portuguese.csv", what="a Portuguese list",
        text="Nome;Sobrenome;E-mail;Empresa;País;Situação\nAda;Reis;ada@d.example.org;Museu;BR;Ativo\n"
        "Rui;Reis;rui@d.example.org;Museu;BR;Descadastrado\n",
        active={"ada@d.example.org": who("Ada Reis", "Museu", "BR")}, left={"rui@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="dutch.csv", what="a Dutch list",
        text="Voornaam;Achternaam;E-mailadres;Organisatie;Land;Afgemeld\nAda;Berg;ada@d.example.org;Museum;NL;nee\n"
        "Jan;Berg;jan@d.example.org;Museum;NL;ja\n",
        active={"ada@d.example.org": who("Ada Berg", "Museum", "NL")}, left={"jan@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="title-above.csv", what="a title and an empty row above the header",
        text="E-mail list of our partners,,\n,,\nName,E-mail,Country\nAnn,ann@d.example.org,MN\n",
        active={"ann@d.example.org": who("Ann", "", "MN")},
    ),
    ExportedList(
        file="no-header.csv", what="no header: the first row is somebody",
        text="Ann Li,ann@d.example.org,Mongolia\nBob Wang,bob@d.example.org,China\n",
        active={"ann@d.example.org": who("Ann Li", "", "MN"), "bob@d.example.org": who("Bob Wang", "", "CN")},
    ),
    ExportedList(
        file="own-with-more.csv", what="our own columns, a status, and a date of leaving",
        text="email,name,tags,status,left_at\nann@d.example.org,Ann,press,active,\nbob@d.example.org,Bob,,active,2024-01-01\n"
        "cy@d.example.org,Cy,,Do not email,\n",
        active={"ann@d.example.org": who("Ann", tags="press")},
        left={"bob@d.example.org": "unsubscribed", "cy@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="company-first.csv", what="a company and a contact, an opt-in that is no address, a manager's address",
        text="Company Name,Contact Name,Email Opt In,Work Email,Manager Email\n"
        "Institute,Ann Li,yes,ann@d.example.org,boss@d.example.org\nInstitute,Bob,no,bob@d.example.org,boss@d.example.org\n",
        active={"ann@d.example.org": who("Ann Li", "Institute")}, left={"bob@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="remarks.csv", what="a word about leaving among remarks",
        text="Email,Name,Bemerkung\nann@d.example.org,Ann,mag Kultur\nbob@d.example.org,Bob,abgemeldet\n",
        active={"ann@d.example.org": who("Ann")}, left={"bob@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="names-twice.csv", what="a whole name beside its parts",
        text="email,name,firstname,country\nann@d.example.org,Ann Li,Ann,Mongolia\nbob@d.example.org,Bob An,Bob,Japan\n",
        active={"ann@d.example.org": who("Ann Li", "", "MN"), "bob@d.example.org": who("Bob An", "", "JP")},
    ),
    ExportedList(
        file="newsletter-plugin.csv", what="a plug-in of WordPress, with a letter for each status",
        text='"Email";"First Name";"Last Name";"Gender";"Status";"Date";"Token"\n'
        '"ann@d.example.org";"Ann";"Li";"f";"C";"2024-01-01";"aa"\n"bob@d.example.org";"Bob";"An";"n";"U";"2024-01-01";"bb"\n'
        '"cy@d.example.org";"Cy";"Oh";"n";"B";"2024-01-01";"cc"\n"di@d.example.org";"Di";"Po";"n";"S";"2024-01-01";"dd"\n',
        active={"ann@d.example.org": who("Ann Li")},
        left={"bob@d.example.org": "unsubscribed", "cy@d.example.org": "bounced"}, refused=(5,),
    ),
    ExportedList(
        file="webinar.csv", what="those who registered for a webinar, below a report",
        text="Registration Report\nTopic,Webinar ID,Actual Start Time\nHeritage,123,2024-01-01 09:00\nAttendee Details\n"
        "First Name,Last Name,Email,Registration Time,Approval Status,Country/Region Name\n"
        "Ann,Li,ann@d.example.org,2024-01-01,approved,China\nBob,An,bob@d.example.org,2024-01-01,denied,Japan\n",
        active={"ann@d.example.org": who("Ann Li", "", "CN")}, refused=(7,),
    ),
    ExportedList(
        file="mailing-list.txt", what="mailboxes as a list server writes them, one a line",
        text='Ann Li <ann@d.example.org>\nbob@d.example.org\n"Oh, Cy" <cy@d.example.org>\n',
        active={
            "ann@d.example.org": who("Ann Li"), "bob@d.example.org": who(), "cy@d.example.org": who("Cy Oh"),
        },
    ),
    ExportedList(
        file="unsubscribed-people.csv", what="nothing but addresses, in a file whose name says that they left",
        text="E-mail,Full name\nbob@d.example.org,Bob\n",
        active={}, left={"bob@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="cleverreach.csv", what="CleverReach: who never activated the subscription has a date of zeros",
        text='"email";"registered";"activated";"deactivated";"bounced";"Vorname";"Nachname";"Land"\n'
        '"ann@d.example.org";"2024-01-02 03:04:05";"2024-01-02 03:05:05";"0000-00-00 00:00:00";"0";"Ann";"Li";"Schweiz"\n'
        '"bob@d.example.org";"2024-01-02 03:04:05";"2024-01-02 03:05:05";"2024-02-02 03:05:05";"0";"Bob";"An";"Schweiz"\n'
        '"cy@d.example.org";"2024-01-02 03:04:05";"0000-00-00 00:00:00";"0000-00-00 00:00:00";"0";"Cy";"Oh";"Schweiz"\n',
        active={"ann@d.example.org": who("Ann Li", "", "CH")}, left={"bob@d.example.org": "unsubscribed"}, refused=(4,),
    ),
    ExportedList(
        file="rundbrief.csv", what="a German list, whose newsletter is a Rundbrief",
        text="Name;E-Mail;Verein;Rundbrief\nAnn Li;ann@d.example.org;Rad e.V.;ja\nBob An;bob@d.example.org;;nein\n",
        active={"ann@d.example.org": who("Ann Li", "Rad e.V.")}, left={"bob@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="dynamics.csv", what="Dynamics 365: keys not to modify, and what it allows",
        text="(Do Not Modify) Contact,(Do Not Modify) Row Checksum,Full Name,Email,Company Name,Country/Region,Status,Do not allow Bulk Emails,Do not allow Emails\n"
        "g1,c,Ann Li,ann@d.example.org,Institute,Norway,Active,Allow,Allow\ng2,c,Bob An,bob@d.example.org,,Norway,Active,Do Not Allow,Allow\n"
        "g3,c,Cy Oh,cy@d.example.org,,Norway,Active,Allow,Do Not Allow\n",
        active={"ann@d.example.org": who("Ann Li", "Institute", "NO")},
        left={"bob@d.example.org": "unsubscribed", "cy@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="failed-deliveries.csv", what="dead addresses with a mail server's codes for a status",
        text='status,reason,email,created\n5.1.1,"550 5.1.1 no such user",ann@d.example.org,1672531200\n4.2.2,452 full,bob@d.example.org,1672531201\n',
        active={}, left={"ann@d.example.org": "bounced", "bob@d.example.org": "bounced"},
    ),
    ExportedList(
        file="drip.csv", what="Drip: a status, and the day it changed",
        text='email,status,status_updated_at,tags,first_name,last_name,country\nann@d.example.org,active,2024-01-01T00:00:00Z,"lead,vip",Ann,Li,Japan\n'
        "bob@d.example.org,removed,2024-01-01T00:00:00Z,,Bob,An,\n",
        active={"ann@d.example.org": who("Ann Li", "", "JP", "", "lead;vip")}, left={"bob@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="dotdigital.csv", what="Dotdigital: words of a status without spaces",
        text="Email,EmailType,OptInType,Status,FIRSTNAME,LASTNAME,LASTSUBSCRIBED\nann@d.example.org,Html,VerifiedDouble,Subscribed,Ann,Li,02/01/2024\n"
        "bob@d.example.org,Html,Unknown,HardBounced,Bob,An,\ncy@d.example.org,Html,Single,PendingOptIn,Cy,Oh,\ndi@d.example.org,PlainText,Single,IspComplained,Di,Po,\n",
        active={"ann@d.example.org": who("Ann Li")},
        left={"bob@d.example.org": "bounced", "di@d.example.org": "complained"}, refused=(4,),
    ),
    ExportedList(
        file="tickets.csv", what="tickets: whose ticket it is, and not who ordered it",
        text="Ticket,Ticket Full Name,Ticket Email,Ticket Company Name,Order Name,Order Email,Order Company Name,Marketing opt-in\n"
        "Early,Ann Li,ann@d.example.org,Institute,Boss,boss@d.example.org,Firm,Yes\nEarly,Bob An,bob@d.example.org,,Boss,boss@d.example.org,Firm,No\n",
        active={"ann@d.example.org": who("Ann Li", "Institute")}, left={"bob@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="tag-arrays.csv", what="tags as an array",
        text='email_address,type,creation_date,tags\nann@d.example.org,regular,2024-01-01,"[""press"", ""beta users""]"\n'
        "bob@d.example.org,unactivated,2024-01-01,[]\n",
        active={"ann@d.example.org": who("", "", "", "", "beta users;press")}, refused=(3,),
    ),
    ExportedList(
        file="microsoft-form.csv", what="a Microsoft form that nobody signs in to: Email is anonymous, Name is empty",
        text="ID,Start time,Email,Name,Your name,Your e-mail address,Country,Would you like to receive our newsletter?\n"
        "1,1/2/24 3:04,anonymous,,Ann Li,ann@d.example.org,Finland,Yes\n2,1/2/24 3:04,anonymous,,Bob An,bob@d.example.org,Finland,No\n",
        active={"ann@d.example.org": who("Ann Li", "", "FI")}, left={"bob@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="two-countries.csv", what="a country at work that nobody gave, and one at home",
        text="First name,Last name,Email address,Email status,Country - Work,Country - Home\nAnn,Li,ann@d.example.org,Active,,United Kingdom\n",
        active={"ann@d.example.org": who("Ann Li", "", "GB")},
    ),
    ExportedList(
        file="mailboxes.txt", what="mailboxes with names in quotation marks and in brackets",
        text='"Li, Ann" <ann@d.example.org>\nbob@d.example.org (Bob An)\n',
        active={"ann@d.example.org": who("Ann Li"), "bob@d.example.org": who()},
    ),
    ExportedList(
        file="survey.csv", what="SurveyMonkey: a second row has the parts of an address and the answers to a question",
        text="Respondent ID,Start Date,Please leave your details:,,,Would you like to receive our newsletter?,\n"
        ',,Name,Organisation,Email Address,"Yes, please","No, thank you"\n'
        '1,01/02/2024 03:04:05 AM,Ann Li,Institute,ann@d.example.org,"Yes, please",\n2,01/02/2024 03:04:05 AM,Bob An,,bob@d.example.org,,"No, thank you"\n',
        active={"ann@d.example.org": who("Ann Li", "Institute")}, left={"bob@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="polish.csv", what="a Polish list",
        text="Adres e-mail;Imię;Nazwisko;Firma;Kraj;Status;Zgoda;Data wypisania\nann@d.example.org;Jan;Nowak;Firma A;Polska;aktywny;tak;\n"
        "bob@d.example.org;Ewa;Lis;;Polska;wypisany;tak;\ncy@d.example.org;Iga;Lis;;Polska;aktywny;nie;\ndi@d.example.org;Ola;Lis;;Polska;aktywny;tak;2024-02-03\n",
        active={"ann@d.example.org": who("Jan Nowak", "Firma A", "PL")},
        left=dict.fromkeys(("bob@d.example.org", "cy@d.example.org", "di@d.example.org"), "unsubscribed"),
    ),
    ExportedList(
        file="turkish.csv", what="a Turkish list",
        text="E-posta,Ad,Soyad,Kurum,Ülke,Durum,Abonelikten çıkma tarihi\nann@d.example.org,Ali,Can,Vakıf,Türkiye,Aktif,\n"
        "bob@d.example.org,Ece,Can,,Türkiye,Abonelikten çıktı,\ncy@d.example.org,Ela,Can,,Türkiye,Aktif,2024-01-02\n",
        active={"ann@d.example.org": who("Ali Can", "Vakıf", "TR")},
        left={"bob@d.example.org": "unsubscribed", "cy@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="czech.csv", what="a Czech list, with yes and no",
        text="E-mail;Jméno;Příjmení;Organizace;Země;Odhlášen;Souhlas\nann@d.example.org;Jan;Novák;Ústav;Česko;ne;ano\n"
        "bob@d.example.org;Eva;Nová;;Česko;ano;ano\ncy@d.example.org;Iva;Nová;;Česko;ne;ne\n",
        active={"ann@d.example.org": who("Jan Novák", "Ústav", "CZ")},
        left={"bob@d.example.org": "unsubscribed", "cy@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="vietnamese.csv", what="a Vietnamese list",
        text="Email,Họ và tên,Cơ quan,Quốc gia,Trạng thái\nann@d.example.org,Nguyễn An,Viện,Việt Nam,Đang hoạt động\n"
        "bob@d.example.org,Lê Bình,,Việt Nam,Đã hủy đăng ký\n",
        active={"ann@d.example.org": who("Nguyễn An", "Viện", "VN")}, left={"bob@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="greek.csv", what="a Greek list",
        text="Email,Όνομα,Επώνυμο,Οργανισμός,Χώρα,Κατάσταση\nann@d.example.org,Άννα,Παππά,Ίδρυμα,Ελλάδα,Ενεργός\n"
        "bob@d.example.org,Νίκος,Παππάς,,Ελλάδα,Διαγραμμένος\n",
        active={"ann@d.example.org": who("Άννα Παππά", "Ίδρυμα", "GR")}, left={"bob@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="thai.csv", what="a Thai list",
        text="อีเมล,ชื่อ,องค์กร,ประเทศ,สถานะ\nann@d.example.org,สมชาย ใจดี,มูลนิธิ,ไทย,ใช้งาน\nbob@d.example.org,สมหญิง,,ไทย,ยกเลิกการสมัคร\n",
        active={"ann@d.example.org": who("สมชาย ใจดี", "มูลนิธิ", "TH")}, left={"bob@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="civicrm-german.csv", what="CiviCRM in German: refused by the person, on hold, deceased",
        text="Interne Kontakt-ID;Anzeigename;E-Mail;Land;Kein Massenversand (Benutzer hat abgelehnt);E-Mail in Wartestellung;Verstorben\n"
        "1;Ann Li;ann@d.example.org;Schweiz;;Nein;Nein\n2;Bob An;bob@d.example.org;Schweiz;Ja;Nein;Nein\n"
        "3;Cy Oh;cy@d.example.org;Schweiz;;Bounce bei E-Mail-Versand;Nein\n4;Di Po;di@d.example.org;Schweiz;;Nein;Ja\n",
        active={"ann@d.example.org": who("Ann Li", "", "CH")},
        left={"bob@d.example.org": "unsubscribed", "cy@d.example.org": "bounced", "di@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="status-without-title.csv", what="a status under a title that says nothing of it",
        text="Name;E-Mail;Empfang\nAnn Li;ann@d.example.org;aktiv\nBob An;bob@d.example.org;pausiert\nCy Oh;cy@d.example.org;inaktiv\n",
        active={"ann@d.example.org": who("Ann Li")},
        left={"bob@d.example.org": "unsubscribed", "cy@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="no-header-status.csv", what="no header, and a status in the last column",
        text="ann@d.example.org,Ann Li,Active\nbob@d.example.org,Bob An,Unsubscribed\ncy@d.example.org,Cy Oh,Pending\n",
        active={"ann@d.example.org": who("Ann Li")}, left={"bob@d.example.org": "unsubscribed"}, refused=(3,),
    ),
    ExportedList(
        file="suppressed-people.csv", what="people who once agreed, in a file whose name says that they are suppressed",
        text="email,first_name,consent\nbob@d.example.org,Bob,true\n",
        active={}, left={"bob@d.example.org": "suppressed"},
    ),
    ExportedList(
        file="google-groups.csv", what="Google Groups: bouncing, banned, and members who want no mail",
        text="Members for group news@d.example.org\nEmail address,Nickname,Group status,Email status,Email preference,Posting permissions\n"
        "ann@d.example.org,Ann,member,,email,allowed\nbob@d.example.org,Bob,member,bouncing,email,allowed\n"
        "cy@d.example.org,Cy,member,,none,allowed\ndi@d.example.org,Di,banned,,email,denied\n",
        active={"ann@d.example.org": who("Ann")},
        left={"bob@d.example.org": "bounced", "cy@d.example.org": "unsubscribed", "di@d.example.org": "suppressed"},
    ),
    ExportedList(
        file="groups-io.csv", what="Groups.io: members without mail, and one who has not confirmed",
        text="Email,Display Name,Username,Joined,Mod Status,Status,Delivery\nann@d.example.org,Ann Li,ann,2020-01-02,Not Moderator,Normal,Individual Emails\n"
        "bob@d.example.org,Bob An,bob,2020-01-02,Not Moderator,Bounced,Individual Emails\ncy@d.example.org,Cy Oh,cy,2020-01-02,Not Moderator,Normal,No Email\n"
        "di@d.example.org,Di Po,di,2020-01-02,Not Moderator,Not Confirmed,Individual Emails\n",
        active={"ann@d.example.org": who("Ann Li")},
        left={"bob@d.example.org": "bounced", "cy@d.example.org": "unsubscribed"}, refused=(5,),
    ),
    ExportedList(
        file="mailman-2.csv", what="the members of a Mailman 2 list: why nomail is set",
        text="email,name,mod,hide,nomail,ack,nodupes,digest,plain,language\nann@d.example.org,Ann Li,off,off,off,off,on,off,on,English\n"
        "bob@d.example.org,Bob An,off,off,[U],off,on,off,on,English\ncy@d.example.org,Cy Oh,off,off,[B],off,on,off,on,English\n",
        active={"ann@d.example.org": who("Ann Li", "", "", "en")},
        left={"bob@d.example.org": "unsubscribed", "cy@d.example.org": "bounced"},
    ),
    ExportedList(
        file="mailman-3.csv", what="the members of a Mailman 3 list: who stopped delivery",
        text="address,display_name,subscription_mode,delivery_mode,delivery_status,role\nann@d.example.org,Ann Li,as_address,regular,enabled,member\n"
        "bob@d.example.org,Bob An,as_address,regular,by_user,member\ncy@d.example.org,Cy Oh,as_address,regular,by_bounces,member\n",
        active={"ann@d.example.org": who("Ann Li")},
        left={"bob@d.example.org": "unsubscribed", "cy@d.example.org": "bounced"},
    ),
    ExportedList(
        file="supporters.csv", what="NationBuilder: a bad address, no consent, deceased",
        text="first_name,last_name,email1,email1_is_bad,email_opt_in,do_not_contact,is_deceased,employer,primary_country_code,tag_list\n"
        'Ann,Li,ann@d.example.org,false,true,false,false,Institute,US,"donor,press"\nBob,An,bob@d.example.org,true,true,false,false,,US,\n'
        "Cy,Oh,cy@d.example.org,false,false,false,false,,US,\nDi,Po,di@d.example.org,false,true,false,true,,US,\n",
        active={"ann@d.example.org": who("Ann Li", "Institute", "US", "", "donor;press")},
        left={"bob@d.example.org": "bounced", "cy@d.example.org": "unsubscribed", "di@d.example.org": "unsubscribed"},
    ),
    ExportedList(
        file="availability.csv", what="Unisender: a status, and whether the address can be reached",
        text="email,email_status,email_availability,email_confirm_time,email_list_ids,Name\nann@d.example.org,active,available,2024-01-02 03:04:05,1,Ann\n"
        "bob@d.example.org,active,unreachable,2024-01-02 03:04:05,1,Bob\ncy@d.example.org,invited,available,,1,Cy\n",
        active={"ann@d.example.org": who("Ann")}, left={"bob@d.example.org": "bounced"}, refused=(4,),
    ),
    ExportedList(
        file="sympa.txt", what="Sympa's dump of members: without mail, suspended, bouncing",
        text="date 1609459200\nemail ann@d.example.org\ngecos Ann Li\nreception mail\nsubscribed 1\nvisibility noconceal\n\n"
        "date 1609459200\nemail bob@d.example.org\nreception nomail\n\ndate 1609459200\nemail cy@d.example.org\nreception mail\nsuspend 1\n\n"
        "bounce 1609459200 1609559200 12 5.1.1\nbounce_score 90\nemail di@d.example.org\nreception mail\n",
        active={"ann@d.example.org": who("Ann Li")},
        left={"bob@d.example.org": "unsubscribed", "cy@d.example.org": "suppressed", "di@d.example.org": "bounced"},
    ),
    ExportedList(
        file="strictest.csv", what="columns that do not agree: the strictest counts",
        text="Email,Status,Opt-out,Bounced,Consent\nann@d.example.org,Active,no,0,yes\nbob@d.example.org,Active,yes,0,yes\n"
        "cy@d.example.org,Subscribed,no,1,yes\ndi@d.example.org,Active,no,0,no\n",
        active={"ann@d.example.org": who()},
        left={"bob@d.example.org": "unsubscribed", "cy@d.example.org": "bounced", "di@d.example.org": "unsubscribed"},
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ListOfLeft:
    """A list that was once read wrongly or asked about: who gets mail, and who left."""

    file: str
    text: str
    active: tuple[str, ...]
    left: tuple[str, ...]
    encoding: str = "utf-8"


WHO_LEFT = (
    ListOfLeft(file="Kontakte.csv", active=("p0@d.example.org",), left=("p1@d.example.org", "p2@d.example.org"), encoding="cp1252",
        text="E-Mail;Name;Abo\r\np0@d.example.org;Jürgen Groß;ja\r\np1@d.example.org;Ute Alt;nein\r\np2@d.example.org;Uwe Neu;Nein\r\n"),
    ListOfLeft(file="newsletter_nl.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="E-mailadres;Naam;Geen nieuwsbrief\r\np0@d.example.org;Jan;nee\r\np1@d.example.org;Piet;ja\r\n"),
    ListOfLeft(file="newsletter_it.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="Email;Nome;Non desidera ricevere la newsletter\r\np0@d.example.org;Anna;no\r\np1@d.example.org;Luca;sì\r\n"),
    ListOfLeft(file="newsletter_fr.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="Email;Nom;Ne souhaite plus recevoir la lettre\r\np0@d.example.org;Luc;non\r\np1@d.example.org;Ana;oui\r\n"),
    ListOfLeft(file="newsletter_sv.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="E-post;Namn;Vill inte ha nyhetsbrev\r\np0@d.example.org;Olle;nej\r\np1@d.example.org;Nea;ja\r\n"),
    ListOfLeft(file="newsletter_pl.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="E-mail;Imię i nazwisko;Nie wysyłać newslettera\r\np0@d.example.org;Jan;nie\r\np1@d.example.org;Ewa;tak\r\n"),
    ListOfLeft(file="newsletter_pt.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="E-mail;Nome;Não quer receber o boletim\r\np0@d.example.org;Rui;não\r\np1@d.example.org;Eva;sim\r\n"),
    ListOfLeft(file="newsletter_jp.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="メールアドレス,氏名,メルマガを受け取らない\r\np0@d.example.org,佐藤,いいえ\r\np1@d.example.org,鈴木,はい\r\n"),
    ListOfLeft(file="newsletter_cn.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="邮箱,姓名,不希望接收通讯\r\np0@d.example.org,陈明,否\r\np1@d.example.org,李雷,是\r\n"),
    ListOfLeft(file="newsletter_ko.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="이메일,이름,뉴스레터 수신 원하지 않음\r\np0@d.example.org,김,아니오\r\np1@d.example.org,이,예\r\n"),
    ListOfLeft(file="newsletter_mn.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="И-мэйл;Нэр;Мэдээ авахгүй\r\np0@d.example.org;Бат;үгүй\r\np1@d.example.org;Дорж;тийм\r\n"),
    ListOfLeft(file="newsletter_ar.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="البريد الإلكتروني;الاسم;لا يرغب في تلقي النشرة\r\np0@d.example.org;أحمد;لا\r\np1@d.example.org;ليلى;نعم\r\n"),
    ListOfLeft(file="gdpr.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="Email,Name,GDPR erased\r\np0@d.example.org,Ann,\r\np1@d.example.org,Bo,yes\r\n"),
    ListOfLeft(file="gdpr2.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="Email,Name,GDPR deletion requested\r\np0@d.example.org,Ann,no\r\np1@d.example.org,Bo,2024-02-02\r\n"),
    ListOfLeft(file="crm-bounces.csv", active=("p0@d.example.org", "p2@d.example.org"), left=("p1@d.example.org",),
        text="Email,Name,Hard bounces\r\np0@d.example.org,Ann,0\r\np1@d.example.org,Bo,3\r\np2@d.example.org,Cy,0\r\n"),
    ListOfLeft(file="members-delivery.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="Email,Name,Delivery\r\np0@d.example.org,Ann,delivered\r\np1@d.example.org,Bo,failed permanently\r\n"),
    ListOfLeft(file="raisers-edge.csv", active=("p0@d.example.org", "p1@d.example.org"), left=("p2@d.example.org",),
        text='Constituent ID,First Name,"Last/Organization Name",Email,"Alternate Email 1",Requests no email,Shipping Country\r\n1,Ann,Li,p0@d.example.org,,No,Mongolia\r\n2,,Inst,,p1@d.example.org,No,Sweden\r\n3,Bo,Li,p2@d.example.org,,Yes,\r\n'),
    ListOfLeft(file="tidyhq.vcf", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann Li\r\nEMAIL:p0@d.example.org\r\nEND:VCARD\r\nBEGIN:VCARD\r\nVERSION:3.0\r\nFN:Bo Li\r\nEMAIL:p1@d.example.org\r\nNOTE:DO NOT MAIL\r\nEND:VCARD\r\n"),
    ListOfLeft(file="verein.csv", active=("p0@d.example.org", "p2@d.example.org"), left=("p1@d.example.org",), encoding="cp1252",
        text="E-Mail;Name;Status\r\np0@d.example.org;Jürgen Groß;Neu\r\np1@d.example.org;Ute Alt;ausgetreten\r\np2@d.example.org;Uwe Neu;aktiv\r\n"),
    ListOfLeft(file="courrier.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="Courriel;Nom;Statut\r\np0@d.example.org;Luc;actif\r\np1@d.example.org;Ana;NPAI\r\n"),
    ListOfLeft(file="jp-status.csv", active=("p0@d.example.org",), left=("p1@d.example.org",), encoding="cp932",
        text="メールアドレス,氏名,状態\r\np0@d.example.org,佐藤,配信中\r\np1@d.example.org,鈴木,エラー停止\r\n"),
    ListOfLeft(file="freshmail.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="Email;Imię;Status\r\np0@d.example.org;Jan;Aktywny\r\np1@d.example.org;Ewa;Twardo odbity\r\n"),
    ListOfLeft(file="listserv.csv", active=("p0@d.example.org",), left=("p1@d.example.org",),
        text="Email,Name,Status\r\np0@d.example.org,Ann,Active\r\np1@d.example.org,Bo,Held\r\n"),
)  # fmt: skip
