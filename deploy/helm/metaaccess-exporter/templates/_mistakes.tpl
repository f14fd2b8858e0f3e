{{/* Ends the rendering where values contradict each other, with all that is wrong. Types and names are checked before,
     by values.schema.json. */}}
{{- define "metaaccess-exporter.refuseMistakes" -}}
{{- $mistakes := list -}}
{{- $parts := list "Misplaced" "OfReplicas" "OfNames" "OfImage" "OfAccounts" "OfFiles" "OfPersistence" "OfDatabase" "OfSettings" "OfScraping" -}}
{{- if include "metaaccess-exporter.mistakesOfNulls" . -}}
{{- /* The others look into what is missing. */ -}}
{{- $parts = list "OfNulls" -}}
{{- end -}}
{{- range $parts -}}
{{- range include (printf "metaaccess-exporter.mistakes%s" .) $ | splitList "\n" -}}
{{- with trim . -}}
{{- $mistakes = append $mistakes (printf "- %s" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $mistakes -}}
{{- fail (printf "the values of %s cannot be used:\n%s\n" .Chart.Name (join "\n" $mistakes)) -}}
{{- end -}}
{{- end -}}

{{/* Values that null took away, and without which nothing can be said of the rest. */}}
{{- define "metaaccess-exporter.mistakesOfNulls" -}}
{{- $values := .Values -}}
{{- $needed := list
      "api baseUrl rateLimit logs order timezone lookback lateness timeout ca"
      "proxy url noProxy"
      "persistence enabled accessMode annotations"
      "state url password ca clientCertificateSecret"
      "web port telemetryPath maxConnections enableLifecycle config clientCa"
      "scrape timeoutOffset minInterval"
      "metrics hostname hostnameKey maxSeries maxEvents zeroFor created"
      "log level format"
      "image repository tag digest pullPolicy"
      "serviceAccount create"
      "probes startup liveness readiness"
      "service type port annotations labels"
      "podDisruptionBudget enabled maxUnavailable"
      "networkPolicy enabled prometheus dns api proxy database extraIngress extraEgress"
      "serviceMonitor enabled interval scrapeTimeout scheme labels"
      "prometheusRule enabled labels alertLabels disabledAlerts thresholds"
      "dashboards enabled labels annotations folderAnnotation"
      "test enabled" -}}
{{- $own := list "demo" "accounts" "replicas" "commonLabels" "podLabels" "podAnnotations" "resources" "terminationGracePeriodSeconds" "revisionHistoryLimit" "extraEnv" "extraVolumes" "extraVolumeMounts" -}}
{{- range $name := $own -}}
{{- if not (hasKey $values $name) }}
{{ $name }} is null: leave it out, for its default, or set it to something
{{- end -}}
{{- end -}}
{{- range $needed -}}
{{- $section := splitList " " . | first -}}
{{- if not (hasKey $values $section) }}
{{ $section }} is null: leave it out, for its defaults, or set it to something
{{- else -}}
{{- range $name := splitList " " . | rest -}}
{{- if not (hasKey (get $values $section) $name) }}
{{ $section }}.{{ $name }} is null: leave it out, for its default, or set it to something
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What other charts call so, and people try here. */}}
{{- define "metaaccess-exporter.mistakesMisplaced" -}}
{{- $known := dict
      "replicaCount" "it is called replicas here"
      "autoscaling" "the requests that the API allows do not become more by more replicas, and each is idle most of the time; set replicas to what may fail and one more, and leave it out"
      "strategy" "without state.url the Deployment recreates its pod, since two exporters would use the requests of an account twice over; with it, pods are replaced one by one; leave it out"
      "updateStrategy" "without state.url the Deployment recreates its pod, since two exporters would use the requests of an account twice over; with it, pods are replaced one by one; leave it out"
      "extraArgs" "each flag has a value here or a variable, which the health check knows too; set that, or extraEnv" -}}
{{- range $name, $mend := $known -}}
{{- if hasKey $.Values $name }}
{{ $name }}: {{ $mend }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "metaaccess-exporter.mistakesOfReplicas" -}}
{{- if and (gt (int .Values.replicas) 1) .Values.demo }}
replicas is {{ int .Values.replicas }}: each replica of the demo would read a simulator of its own; set it to 1
{{- else if and (gt (int .Values.replicas) 1) (not .Values.state.url) }}
replicas is {{ int .Values.replicas }}, but an embedded store has one writer, and without persistence each replica would use the requests of the accounts again: name a PostgreSQL that they share by state.url, or set replicas to 1
{{- end -}}
{{- end -}}

{{- define "metaaccess-exporter.mistakesOfNames" -}}
{{- $name := include "metaaccess-exporter.fullname" . -}}
{{- if include "metaaccess-exporter.secretData" . | fromJson -}}
{{- $given := include "metaaccess-exporter.credentialSecrets" . | fromJson | values -}}
{{- $given = concat $given (list .Values.web.config.existingSecret .Values.web.certificateSecret .Values.metrics.hostnameKey.existingSecret .Values.api.ca.existingSecret .Values.web.clientCa.existingSecret) -}}
{{- $given = concat $given (list .Values.state.password.existingSecret .Values.state.ca.existingSecret .Values.state.clientCertificateSecret) -}}
{{- if has $name $given }}
the existing Secret {{ $name | quote }} has the name of the Secret that the chart makes for what is given as a value; set fullnameOverride, or put all of it into Secrets of your own
{{- end -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) }}
the name {{ $name | quote }}: a Service needs one of small letters, digits and dashes that begins with a letter; set fullnameOverride
{{- end -}}
{{- $fixed := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" -}}
{{- range $values := list "commonLabels" "podLabels" -}}
{{- range $label := $fixed -}}
{{- if hasKey (get $.Values $values) $label }}
{{ $values }}: {{ $label }} is what the Service finds its pod by; leave it out
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "metaaccess-exporter.mistakesOfImage" -}}
{{- $image := .Values.image -}}
{{- if and $image.digest (not (regexMatch "^sha256:[0-9a-f]{64}$" $image.digest)) }}
image.digest {{ $image.digest | quote }}: a digest is sha256: and 64 hexadecimal digits in small letters; copy it whole, as the registry shows it
{{- end -}}
{{- if eq $image.tag "latest" }}
image.tag "latest": it is another image from time to time, and nobody can tell which one runs; name a version, or a digest
{{- end -}}
{{- if regexMatch "(:[^/]*|@.*)$" $image.repository }}
image.repository {{ $image.repository | quote }}: it holds a tag or a digest; move that to image.tag or image.digest
{{- end -}}
{{- end -}}

{{- define "metaaccess-exporter.mistakesOfAccounts" -}}
{{- if and .Values.demo .Values.accounts }}
demo and accounts are both given: the demo reads its own simulator and nothing else; set demo to false, or leave the accounts out
{{- else if not (or .Values.demo .Values.accounts) }}
there is no account: add one to accounts, with a name and a credential, or set demo to true to look at simulated data
{{- end -}}
{{- $names := list -}}
{{- range .Values.accounts -}}
{{- if has .name $names }}
the account {{ .name | quote }} is there twice: give each account a name of its own, since it is the label account of its series
{{- end -}}
{{- $names = append $names .name -}}
{{- include "metaaccess-exporter.mistakesOfAccount" . -}}
{{- end -}}
{{- include "metaaccess-exporter.mistakesOfSharing" . -}}
{{- end -}}

{{- define "metaaccess-exporter.mistakesOfAccount" -}}
{{- $account := printf "the account %s" (quote .name) -}}
{{- range $file, $instead := dict "client_secret_file" "client_secret" "access_token_file" "access_token" -}}
{{- if hasKey $ $file }}
{{ $account }}: {{ $file }}: the chart writes that itself; give {{ $instead }} with existingSecret and key, with value, or with file
{{- end -}}
{{- end -}}
{{- $hasClient := or (hasKey . "client_secret") (hasKey . "client_id") -}}
{{- if and (hasKey . "access_token") $hasClient }}
{{ $account }}: an access token and an OAuth client are both given; give one of them. The client is the better one: its tokens are renewed in time
{{- else if hasKey . "access_token" -}}
{{- include "metaaccess-exporter.mistakesOfSource" (list (printf "%s: access_token" $account) .access_token) -}}
{{- else if not $hasClient }}
{{ $account }}: there is no credential; give an OAuth client by client_id and client_secret, or an access token by access_token
{{- else if not (hasKey . "client_secret") }}
{{ $account }}: the client's secret is not given; add client_secret with existingSecret and key, with value, or with file
{{- else if not (hasKey . "client_id") }}
{{ $account }}: the client's id is not given; add client_id
{{- else -}}
{{- include "metaaccess-exporter.mistakesOfSource" (list (printf "%s: client_secret" $account) .client_secret) -}}
{{- end -}}
{{- end -}}

{{/* What is wrong with where a credential is: (list WHAT SOURCE). It never shows a value. */}}
{{- define "metaaccess-exporter.mistakesOfSource" -}}
{{- $what := first . -}}
{{- $source := last . -}}
{{- $ways := list -}}
{{- range $way := list "value" "existingSecret" "file" -}}
{{- if get $source $way }}{{ $ways = append $ways $way }}{{ end -}}
{{- end -}}
{{- if gt (len $ways) 1 }}
{{ $what }}: {{ join " and " $ways }} are given; give one of them
{{- else if not $ways }}
{{ $what }}: it is empty; give existingSecret and key, or value, or file
{{- else if and $source.existingSecret (not $source.key) }}
{{ $what }}: the key is missing; add the one under which {{ $source.existingSecret | quote }} holds it
{{- else if and $source.key (not $source.existingSecret) }}
{{ $what }}: key is for an existing Secret; leave it out beside {{ first $ways }}
{{- else if and $source.value (not (regexMatch "^\\s*[!-~]+\\s*$" $source.value)) }}
{{ $what }}: the value (not shown) holds spaces, line breaks or other characters that no token has; copy it again
{{- end -}}
{{- end -}}

{{/* Two accounts with one credential share its requests, which the exporter tells by the file: it has to be one. */}}
{{- define "metaaccess-exporter.mistakesOfSharing" -}}
{{- $seen := dict -}}
{{- range $account := .Values.accounts -}}
{{- range $kind := list "client_secret" "access_token" -}}
{{- $source := get $account $kind | default dict -}}
{{- with $source.value -}}
{{- $credential := printf "%s %s" (get $account "client_id" | default "") (trim .) -}}
{{- $first := get $seen $credential -}}
{{- if and $first (ne $first $account.name) }}
the accounts {{ $first | quote }} and {{ $account.name | quote }}: {{ $kind }} is the same value; put it into a Secret, and name that by existingSecret in both, so that the exporter knows that they share its requests
{{- end -}}
{{- $_ := set $seen $credential $account.name -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What is given in two ways at once: the value, an existing ConfigMap and an existing Secret. */}}
{{- define "metaaccess-exporter.mistakesOfFiles" -}}
{{- $files := dict "web.config" .Values.web.config "web.clientCa" .Values.web.clientCa "api.ca" .Values.api.ca "state.ca" .Values.state.ca "state.password" .Values.state.password "metrics.hostnameKey" .Values.metrics.hostnameKey -}}
{{- range $what, $given := $files -}}
{{- $ways := list -}}
{{- range $way := list "value" "existingConfigMap" "existingSecret" -}}
{{- if get $given $way }}{{ $ways = append $ways $way }}{{ end -}}
{{- end -}}
{{- if gt (len $ways) 1 }}
{{ $what }}: {{ join " and " $ways }} are both given; give one of them
{{- end -}}
{{- end -}}
{{- if not (include "metaaccess-exporter.hasWebConfig" .) -}}
{{- if .Values.web.certificateSecret }}
web.certificateSecret is set, but no web.config that names its files: set web.config.value to {tls_server_config: {cert_file: tls.crt, key_file: tls.key}}
{{- end -}}
{{- if or .Values.web.clientCa.existingConfigMap .Values.web.clientCa.existingSecret }}
web.clientCa is set, but no web.config that asks for client certificates: add client_auth_type and client_ca_file: client-ca.crt to its tls_server_config
{{- end -}}
{{- end -}}
{{- if and .Values.metrics.hostnameKey.value (lt (len (trim .Values.metrics.hostnameKey.value)) 16) }}
metrics.hostnameKey.value (not shown) is shorter than 16 characters, so that it can be tried out; make one by: openssl rand -hex 32
{{- end -}}
{{- $hasKey := or .Values.metrics.hostnameKey.value .Values.metrics.hostnameKey.existingSecret -}}
{{- if and (eq .Values.metrics.hostname "hash") (not $hasKey) }}
metrics.hostname is hash, which needs a key: set metrics.hostnameKey.existingSecret, or metrics.hostnameKey.value
{{- else if and $hasKey (ne .Values.metrics.hostname "hash") }}
metrics.hostnameKey is set, but hostnames are not hashed: set metrics.hostname to hash, or leave the key out
{{- end -}}
{{- end -}}

{{- define "metaaccess-exporter.mistakesOfPersistence" -}}
{{- with .Values.persistence -}}
{{- range $name := list "size" "storageClass" "annotations" -}}
{{- if and $.Values.persistence.existingClaim (get $.Values.persistence $name) }}
persistence.{{ $name }} is for a claim that the chart makes, but persistence.existingClaim names one that is there; leave one of them out
{{- end -}}
{{- end -}}
{{- if and .existingClaim (not .enabled) }}
persistence.existingClaim is set, but persistence.enabled is false, so that the counts would be in memory: set that to true, or leave the claim out
{{- end -}}
{{- if and $.Values.demo .existingClaim }}
demo keeps nothing, but persistence.existingClaim names a claim; leave one of them out
{{- end -}}
{{- end -}}
{{- end -}}

{{/* It never shows the URL, in which a password may stand. */}}
{{- define "metaaccess-exporter.mistakesOfDatabase" -}}
{{- $state := .Values.state -}}
{{- $hasPassword := or $state.password.value $state.password.existingSecret -}}
{{- $hasCa := include "metaaccess-exporter.hasDatabaseCa" . -}}
{{- if $state.url -}}
{{- include "metaaccess-exporter.mistakesOfDatabaseUrl" . -}}
{{- if .Values.demo }}
demo and state.url are both given: the demo keeps nothing; leave one of them out
{{- end -}}
{{- if .Values.persistence.existingClaim }}
state.url and persistence.existingClaim are both given: counts are kept in a database or on a volume; leave one of them out
{{- end -}}
{{- if .Values.serviceMonitor.instance }}
serviceMonitor.instance is set: with state.url each replica is scraped by itself, and under one name their series would overwrite each other; leave it out
{{- end -}}
{{- else if or $hasPassword $hasCa $state.clientCertificateSecret }}
state: a password, authorities or a client certificate are given, but no database that they are for: set state.url, or leave them out
{{- end -}}
{{- end -}}

{{- define "metaaccess-exporter.mistakesOfDatabaseUrl" -}}
{{- $state := .Values.state -}}
{{- $url := trim $state.url -}}
{{- $beforeParameters := regexReplaceAll "\\?.*$" $url "" -}}
{{- if not (regexMatch "^postgres(ql)?://" $url) }}
state.url (not shown): begin it with postgres://, as in postgres://user@host:5432/name
{{- else if regexMatch "://[^@]*[:/].*@" $beforeParameters }}
state.url (not shown) holds a password, which everybody could read in the pod's environment: take it out, and give it by state.password
{{- else if not (regexMatch "://[^@]+@" $beforeParameters) }}
state.url (not shown): name the user before the host, as in postgres://user@host:5432/name
{{- else if and (not (include "metaaccess-exporter.databaseHosts" .)) (not (include "metaaccess-exporter.databaseParameter" (list . "host"))) }}
state.url (not shown): name the host, as in postgres://user@host:5432/name
{{- end -}}
{{- if regexMatch "[?&](password|passfile)=" $url }}
state.url (not shown) holds a password, or names a file of one: leave that parameter out, and give it by state.password
{{- end -}}
{{- $isPlain := eq (include "metaaccess-exporter.databaseParameter" (list . "sslmode")) "disable" -}}
{{- $files := dict "state.ca" (list "sslrootcert" (include "metaaccess-exporter.hasDatabaseCa" .)) "state.clientCertificateSecret" (list "sslcert" $state.clientCertificateSecret) -}}
{{- range $value, $file := $files -}}
{{- if and (last $file) (regexMatch (printf "[?&](%s|sslkey)=" (first $file)) $url) }}
state.url names {{ first $file }} or sslkey, and {{ $value }} is given too, which the chart adds to the URL; leave one of them out
{{- end -}}
{{- if and (last $file) $isPlain }}
state.url says sslmode=disable, so that {{ $value }} would not be used; leave one of them out
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "metaaccess-exporter.mistakesOfSettings" -}}
{{- $set := include "metaaccess-exporter.settings" . | fromJson -}}
{{- range .Values.extraEnv -}}
{{- if eq .name "METAACCESS_STATE_PASSWORD" }}
extraEnv: METAACCESS_STATE_PASSWORD: the password is mounted as a file, which is read again at each connection; give it by state.password
{{- else if has .name (list "METAACCESS_ACCESS_TOKEN" "METAACCESS_CLIENT_SECRET") }}
extraEnv: {{ .name }}: credentials are mounted as files, which are read again when they change; give them in accounts
{{- else if or (hasKey $set .name) (hasPrefix "METAACCESS_STATE_" .name) }}
extraEnv: {{ .name }} is set by the chart; set the value for it instead
{{- end -}}
{{- end -}}
{{- if regexMatch "://[^/]*@" .Values.proxy.url }}
proxy.url (not shown) holds a password, which everybody could read in the pod's environment; put the URL into a Secret, and that into extraEnv as HTTPS_PROXY by valueFrom
{{- end -}}
{{- if and .Values.proxy.noProxy (not .Values.proxy.url) }}
proxy.noProxy is set, but there is no proxy: set proxy.url, or leave it out
{{- end -}}
{{- range .Values.extraVolumeMounts -}}
{{- if regexMatch "^(/etc|/var/lib)/metaaccess-exporter(/|$)" .mountPath }}
extraVolumeMounts: {{ .mountPath }} is where the chart mounts its own; choose another path
{{- end -}}
{{- end -}}
{{- range .Values.extraVolumes -}}
{{- if regexMatch "^(config|state|credentials-.*)$" .name }}
extraVolumes: {{ .name }} is a volume of the chart; choose another name
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "metaaccess-exporter.mistakesOfScraping" -}}
{{- $monitor := .Values.serviceMonitor -}}
{{- if $monitor.enabled -}}
{{- $seconds := "^[0-9]+s$" -}}
{{- $comparable := and (regexMatch $seconds $monitor.interval) (regexMatch $seconds $monitor.scrapeTimeout) -}}
{{- if and $comparable (gt (trimSuffix "s" $monitor.scrapeTimeout | int) (trimSuffix "s" $monitor.interval | int)) }}
serviceMonitor.scrapeTimeout is {{ $monitor.scrapeTimeout }}, but the next scrape comes after {{ $monitor.interval }}: make it no longer than serviceMonitor.interval
{{- end -}}
{{- $web := .Values.web.config.value -}}
{{- $asks := include "metaaccess-exporter.webAsksFor" . -}}
{{- if and (contains "tls" $asks) (eq $monitor.scheme "http") }}
serviceMonitor.scheme is http, but web.config asks for TLS: leave it empty
{{- end -}}
{{- if and $web (not (contains "tls" $asks)) (eq $monitor.scheme "https") }}
serviceMonitor.scheme is https, but web.config has no tls_server_config: add it, or leave the scheme empty
{{- end -}}
{{- if and (contains "passwords" $asks) (not $monitor.basicAuth) }}
web.config asks for passwords, but serviceMonitor.basicAuth has none, so that each scrape would be refused: name the Secret with user and password there
{{- end -}}
{{- end -}}
{{- end -}}
